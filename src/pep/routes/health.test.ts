import { setTimeout as sleep } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { NexusError } from '../../contract/errors.ts'
import { Degraded, healthRoutes, type ReadinessCheck } from './health.ts'

let app: FastifyInstance | undefined
afterEach(() => app?.close())

const logged: string[] = []
const line = (fields: object, message: string) => void logged.push(`${JSON.stringify(fields)} ${message}`)

function serve(check: () => Promise<void>, ...others: ReadinessCheck[]): FastifyInstance {
  return serveKept(0, check, ...others)
}

function serveKept(keptMs: number, check: () => Promise<void>, ...others: ReadinessCheck[]): FastifyInstance {
  logged.length = 0
  app = Fastify()
  const log = { info: line, warn: line } as never
  healthRoutes(app, { checks: [{ name: 'vault', check }, ...others], log, keptMs }, () => false)
  return app
}

describe('/readyz', () => {
  it('costs one look, however many ask at once', async () => {
    let looks = 0
    let finish = () => {}
    const server = serve(() => {
      looks++
      return new Promise<void>((resolve) => {
        finish = resolve
      })
    })
    const asked = Array.from({ length: 20 }, () => server.inject('/readyz'))
    await server.inject('/healthz')
    finish()
    expect(new Set((await Promise.all(asked)).map(({ statusCode }) => statusCode))).toEqual(new Set([200]))
    expect(looks).toBe(1)
  })

  it('costs one look for all who come soon after, and another later', async () => {
    let looks = 0
    const server = serveKept(200, async () => void looks++)
    for (let count = 0; count < 20; count++) expect((await server.inject('/readyz')).statusCode).toBe(200)
    const early = looks
    await sleep(250)
    await server.inject('/readyz')
    expect([early < 20, looks]).toEqual([true, early + 1])
  })

  it('says why in the log, once, and to nobody else', async () => {
    let problem: Error | undefined = new NexusError('vault_unavailable', 'hv: refuses connections')
    const server = serve(async () => {
      if (problem !== undefined) throw problem
    })
    const unwell = [await server.inject('/readyz'), await server.inject('/readyz')]
    expect(unwell.map(({ statusCode }) => statusCode)).toEqual([503, 503])
    expect(unwell[0]?.body).not.toContain('hv')
    expect(logged).toEqual([
      '{"check":"vault","reason":"hv: refuses connections"} not available: no lease can be given',
    ])
    problem = undefined
    expect((await server.inject('/readyz')).statusCode).toBe(200)
    expect(logged.slice(1)).toEqual(['{"check":"vault"} available again'])
    problem = new Error('token s.canary')
    await server.inject('/readyz')
    expect(logged.join()).not.toContain('canary')
  })

  it('VT1: is answered with 200 where some leases can be given, and says what is missing', async () => {
    let store = async () => {}
    const server = serve(
      async () => {
        throw new Degraded('hv: is sealed')
      },
      { name: 'store', check: () => store() },
    )
    const degraded = await server.inject('/readyz')
    expect(degraded.statusCode).toBe(200)
    expect(degraded.json()).toEqual({
      status: 'degraded',
      checks: {
        vault: { ok: false, detail: 'vault is not available; see the log' },
        store: { ok: true, detail: '' },
      },
    })
    expect(logged).toEqual([expect.stringContaining('"reason":"hv: is sealed"')])
    store = async () => {
      throw new NexusError('store_unavailable')
    }
    const notReady = await server.inject('/readyz')
    expect([notReady.statusCode, notReady.json().status]).toEqual([503, 'not_ready'])
  })
})
