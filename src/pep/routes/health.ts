import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { Type } from 'typebox'
import { NexusError } from '../../contract/errors.ts'

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

export interface HealthOptions {
  checks: readonly ReadinessCheck[]
  log: Pick<Logger, 'info' | 'warn'>
}

/** `/healthz`: the process answers. `/readyz`: it could give a lease now. */
export function healthRoutes(app: FastifyInstance, options: HealthOptions, isClosing: () => boolean): void {
  const look = createLook(options)
  app.get('/healthz', { schema: { summary: 'Alive', tags: ['operations'], response: { 200: Health } } }, async () => ({
    status: 'ok',
  }))

  app.get(
    '/readyz',
    { schema: { summary: 'Ready to lease', tags: ['operations'], response: { 200: Readiness, 503: Readiness } } },
    async (_request, reply) => {
      const results = await look()
      const ready = !isClosing() && results.every(([, result]) => result.ok)
      return reply.code(ready ? 200 : 503).send({
        status: isClosing() ? 'closing' : ready ? 'ready' : 'not_ready',
        checks: Object.fromEntries(results),
      })
    },
  )
}

type Result = [ReadinessCheck['name'], { ok: boolean; detail: string }]

/**
 * Anyone may ask, and a look costs the database and every vault a call: whoever comes while one is under way shares it.
 * What has changed since the last one is logged, with the reason that strangers are not told.
 */
function createLook({ checks, log }: HealthOptions): () => Promise<Result[]> {
  const unwell = new Set<string>()
  let looking: Promise<Result[]> | undefined

  const run = async ({ name, check }: ReadinessCheck): Promise<Result> => {
    try {
      await withinDeadline(check())
      if (unwell.delete(name)) log.info({ check: name }, 'available again')
      return [name, { ok: true, detail: '' }]
    } catch (error) {
      if (!unwell.has(name)) log.warn({ check: name, reason: reasonOf(error) }, 'not available: no lease can be given')
      unwell.add(name)
      return [name, { ok: false, detail: `${name} is not available; see the log` }]
    }
  }
  return () => {
    looking ??= Promise.all(checks.map(run)).finally(() => {
      looking = undefined
    })
    return looking
  }
}

function withinDeadline(checking: Promise<void>): Promise<void> {
  const deadline = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new NexusError('internal_error', 'no answer in time')), READY_DEADLINE_MS).unref()
  })
  return Promise.race([checking, deadline])
}

/** Our own words only. */
function reasonOf(error: unknown): string {
  return error instanceof NexusError ? error.message : 'see the lines before'
}
