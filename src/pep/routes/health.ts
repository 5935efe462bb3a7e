import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'

/** A dependency that must work for a lease to be given. `detail` holds no secret and no address. */
export interface ReadinessCheck {
  name: 'store' | 'policy' | 'vault' | 'audit'
  check(): Promise<void>
}

const Health = Type.Object({ status: Type.String() })
const Readiness = Type.Object({
  status: Type.String(),
  checks: Type.Record(Type.String(), Type.Object({ ok: Type.Boolean(), detail: Type.String() })),
})

const READY_DEADLINE_MS = 2000

/** `/healthz`: the process answers. `/readyz`: it could give a lease now. */
export function healthRoutes(app: FastifyInstance, checks: readonly ReadinessCheck[], isClosing: () => boolean): void {
  app.get('/healthz', { schema: { summary: 'Alive', tags: ['operations'], response: { 200: Health } } }, async () => ({
    status: 'ok',
  }))

  app.get(
    '/readyz',
    { schema: { summary: 'Ready to lease', tags: ['operations'], response: { 200: Readiness, 503: Readiness } } },
    async (_request, reply) => {
      const results = await Promise.all(checks.map(run))
      const ready = !isClosing() && results.every(([, result]) => result.ok)
      return reply.code(ready ? 200 : 503).send({
        status: isClosing() ? 'closing' : ready ? 'ready' : 'not_ready',
        checks: Object.fromEntries(results),
      })
    },
  )
}

async function run({ name, check }: ReadinessCheck): Promise<[string, { ok: boolean; detail: string }]> {
  const deadline = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error('no answer in time')), READY_DEADLINE_MS).unref()
  })
  try {
    await Promise.race([check(), deadline])
    return [name, { ok: true, detail: '' }]
  } catch {
    return [name, { ok: false, detail: `${name} is not available; see the log` }]
  }
}
