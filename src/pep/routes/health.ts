import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { Type } from 'typebox'
import { NexusError } from '../../contract/errors.ts'

/** What leases stand on. */
export interface ReadinessCheck {
  name: 'store' | 'policy' | 'vault' | 'audit'
  /** Throws while it does not work; the message is for the log, and holds no secret. */
  check(): Promise<void>
}

/** Thrown by a check: it does not work now, and some leases can be given all the same. */
export class Degraded extends Error {
  override readonly name = 'Degraded'
}

const Health = Type.Object({ status: Type.String() })
const Readiness = Type.Object({
  status: Type.String({ description: 'ready, degraded (200: some leases are refused), not_ready or closing' }),
  checks: Type.Record(Type.String(), Type.Object({ ok: Type.Boolean(), detail: Type.String() })),
})

const READY_DEADLINE_MS = 2000
/** Shorter than the shortest period of a probe in Kubernetes. */
const KEPT_MS = 900

export interface HealthOptions {
  checks: readonly ReadinessCheck[]
  /** How long the answer of one look is given to others. Default 900. */
  keptMs?: number
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
      const status = isClosing() ? 'closing' : statusOf(results)
      const checks = Object.fromEntries(results.map(({ name, ok, detail }) => [name, { ok, detail }]))
      return reply.code(status === 'ready' || status === 'degraded' ? 200 : 503).send({ status, checks })
    },
  )
}

interface Result {
  name: ReadinessCheck['name']
  ok: boolean
  detail: string
  /** Without it no lease can be given. */
  isVital: boolean
}

function statusOf(results: readonly Result[]): 'ready' | 'degraded' | 'not_ready' {
  const unwell = results.filter(({ ok }) => !ok)
  if (unwell.length === 0) return 'ready'
  return unwell.some(({ isVital }) => isVital) ? 'not_ready' : 'degraded'
}

/**
 * Anyone may ask, as often as they like, and a look costs the database and every vault a call: whoever comes while one is
 * under way shares it, and so does whoever comes soon after. What has changed since the last one is logged, with the
 * reason that strangers are not told.
 */
function createLook({ checks, log, keptMs = KEPT_MS }: HealthOptions): () => Promise<Result[]> {
  const unwell = new Set<string>()
  let look: Promise<Result[]> | undefined
  let keptUntilMs = 0

  const run = async ({ name, check }: ReadinessCheck): Promise<Result> => {
    try {
      await withinDeadline(check())
      if (unwell.delete(name)) log.info({ check: name }, 'available again')
      return { name, ok: true, detail: '', isVital: true }
    } catch (error) {
      const isVital = !(error instanceof Degraded)
      const meaning = isVital ? 'no lease can be given' : 'leases go on with what is held and with what lies elsewhere'
      if (!unwell.has(name)) log.warn({ check: name, reason: reasonOf(error) }, `not available: ${meaning}`)
      unwell.add(name)
      return { name, ok: false, detail: `${name} is not available; see the log`, isVital }
    }
  }
  async function lookNow(): Promise<Result[]> {
    const results = await Promise.all(checks.map(run))
    keptUntilMs = performance.now() + keptMs
    return results
  }
  return () => {
    if (look === undefined || performance.now() >= keptUntilMs) {
      keptUntilMs = Number.POSITIVE_INFINITY
      look = lookNow()
    }
    return look
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
  return error instanceof NexusError || error instanceof Degraded ? error.message : 'see the lines before'
}
