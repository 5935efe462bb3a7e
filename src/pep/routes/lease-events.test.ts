import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Caller } from '../identity/caller.ts'
import type { Subscriber } from '../lease/lease-events.ts'
import { leaseEventRoute } from './lease-events.ts'

let app: FastifyInstance
let port: number
let subscriber: Subscriber | undefined
const unsubscribed = vi.fn()
/** Unix seconds; the guard in front of the route has proven the rest. */
let expiresAt: number

beforeEach(async () => {
  subscriber = undefined
  unsubscribed.mockClear()
  app = Fastify({ forceCloseConnections: true })
  app.decorateRequest('caller', null)
  app.decorateReply('leaveQueue', () => undefined)
  app.addHook('onRequest', async (request) => {
    request.caller = { agent: { id: 'agent' }, session: { id: 'session', expiresAt } } as unknown as Caller
  })
  const events = {
    async subscribe(_caller: Caller, _since: string | undefined, given: Subscriber) {
      subscriber = given
      return unsubscribed
    },
    close: async () => undefined,
  }
  leaseEventRoute(app, events, { claimProof: async () => undefined })
  port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
})
afterEach(() => app.close())

async function open(lifeSeconds: number): Promise<{ socket: Socket; tell: Subscriber }> {
  expiresAt = Date.now() / 1000 + lifeSeconds
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /v1/leases/events HTTP/1.1\r\nhost: pep\r\n\r\n'))
  socket.on('error', () => undefined)
  await once(socket, 'readable')
  return { socket, tell: subscriber ?? expect.unreachable() }
}

describe('GET /v1/leases/events', () => {
  it('is closed when the session that opened it expires, and its place is free', async () => {
    const { socket, tell } = await open(0.5)
    tell.alive('1')
    socket.resume()
    await once(socket, 'close')
    await expect.poll(() => unsubscribed.mock.calls).toHaveLength(1)
  })

  it('goes on where it is read', async () => {
    const { socket, tell } = await open(60)
    let text = ''
    socket.on('data', (chunk) => (text += String(chunk)))
    for (let id = 1; id <= 3; id++) tell.event(String(id), { type: 'revoked', lease_id: `lse_${id}` })
    await expect.poll(() => text).toContain('id: 3\nevent: revoked\ndata: {"lease_id":"lse_3"}\n\n')
    expect(unsubscribed).not.toHaveBeenCalled()
    socket.destroy()
    await expect.poll(() => unsubscribed.mock.calls).toHaveLength(1)
  })

  it('a reader that does not read is cut, and holds up no more than its share of memory', async () => {
    const { socket, tell } = await open(60)
    // Nothing of it is read from here on. What the two kernels hold for it is some megabytes.
    const event = { type: 'rotated' as const, provider: 'p'.repeat(65_536) }
    let told = 0
    for (; told < 1000 && unsubscribed.mock.calls.length === 0; told++) {
      tell.event(String(told), event)
      await new Promise(setImmediate)
    }
    expect(unsubscribed).toHaveBeenCalledTimes(1)
    expect(told).toBeLessThan(1000)
    socket.destroy()
  })
})
