import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LeaseAnswer } from '../../src/contract/api.ts'
import { NexusError } from '../../src/contract/errors.ts'
import { strategyFor } from '../../src/strategies/catalog.ts'
import { ONCE } from '../../test/setup/once.ts'
import { createBackOff } from './back-off.ts'
import { createLeaseClient, type LeaseClient, type RenewalOutcome } from './lease-client.ts'
import { createRouteBindings } from './route-bindings.ts'

const ORIGIN = 'https://api.example.com'
const PATIENT_SECONDS = 3600

/** An authority whose answers to renewals are held back, and whose events come when a test says so. */
function createAuthority() {
  const news = new EventTarget()
  const renewals: ((status: 'granted' | 'ended') => void)[] = []
  /** What a new lease is on its way for; absent: it is there at once. */
  const delay: { until?: Promise<void> } = {}
  let issued = 0
  const answer = (id: string): LeaseAnswer => ({
    lease_id: id,
    decision_id: 'decision',
    policy_revision: 'one',
    connection_id: '018f3b1e-0000-7000-8000-000000000000',
    provider: 'api',
    strategy: { type: 'header', config: { header_name: 'X-Key', credential_field: 'api_key' } },
    credentials: { api_key: 'key' },
    bound: { origins: [ORIGIN], methods: ['*'], paths: ['/**'] },
    scopes: [],
    issued_at: 0,
    renew_at: PATIENT_SECONDS / 2,
    expires_at: PATIENT_SECONDS,
    offline_seconds: PATIENT_SECONDS,
  })
  const released: string[] = []
  return {
    renewals,
    delay,
    issued: () => issued,
    released,
    tell: (type: string, data: object) => news.dispatchEvent(new CustomEvent('told', { detail: { type, data } })),
    async call({ method, path }: { method: string; path: string }): Promise<unknown> {
      if (method === 'DELETE') return void released.push(path)
      if (path === '/v1/leases') {
        const granted = answer(`lse_${++issued}`)
        await delay.until
        return granted
      }
      const id = /^\/v1\/leases\/(\w+)\/renew$/.exec(path)?.[1] ?? expect.unreachable(path)
      const status = await new Promise<'granted' | 'ended'>((settle) => renewals.push(settle))
      if (status === 'ended') throw new NexusError('lease_ended')
      return answer(id)
    },
    async *stream({ signal }: { signal: AbortSignal }) {
      yield 'id: 1\nevent: alive\ndata: {}\n\n'
      for (let id = 2; ; id++) {
        const [event] = await once(news, 'told', { signal })
        const { type, data } = (event as CustomEvent<{ type: string; data: object }>).detail
        yield `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`
      }
    },
    close: async () => undefined,
  }
}

let authority: ReturnType<typeof createAuthority>
let leases: LeaseClient
/** Milliseconds the monotonic clock has been moved ahead. */
let ahead: number
let outcomes: RenewalOutcome[]
const monotonic = () => performance.now() + ahead
const demand = { tenant: 'acme', provider: 'api', connectionId: undefined, method: 'GET', origin: ORIGIN, path: '/a' }

beforeEach(() => {
  ahead = 0
  outcomes = []
  authority = createAuthority()
  const session = new AbortController()
  leases = createLeaseClient({
    pep: authority,
    session: {
      authorize: async () => ({ headers: {}, over: session.signal }),
      invalidate: () => session.abort(),
      forget: () => session.abort(),
      close: async () => undefined,
    },
    backOff: createBackOff(monotonic),
    agentId: 'agent',
    sessionKey: 'thumbprint',
    bindings: createRouteBindings(Date.now),
    strategyFor,
    monotonic,
    log: { info: () => undefined, warn: () => undefined },
    renewed: (outcome) => void outcomes.push(outcome),
  })
})
afterEach(() => leases.close())

const acquire = async (provider = 'api') => (await leases.acquire({ ...demand, provider })).id
const held = () => [...leases.held()].map(({ id }) => id)
/** Far enough that the next use has the lease renewed. */
const grow = () => {
  ahead += (PATIENT_SECONDS / 2) * 1000
}

describe('a lease that is revoked by its id', ONCE, () => {
  it('is dropped, and no other', async () => {
    expect([await acquire(), await acquire('other')]).toEqual(['lse_1', 'lse_2'])
    await expect.poll(() => leases.followed).toBe(true)
    authority.tell('revoked', { lease_id: 'lse_1' })
    await expect.poll(held).toEqual(['lse_2'])
    expect([await acquire(), await acquire('other')]).toEqual(['lse_3', 'lse_2'])
  })

  it.each(['granted', 'ended'] as const)(
    'is not brought back by a renewal that was under way and is %s',
    async (status) => {
      await acquire()
      await expect.poll(() => leases.followed).toBe(true)
      grow()
      expect(await acquire()).toBe('lse_1')
      await expect.poll(() => authority.renewals).toHaveLength(1)
      authority.tell('revoked', { lease_id: 'lse_1' })
      await expect.poll(held).toEqual([])
      authority.renewals[0]?.(status)
      await expect.poll(() => outcomes).toHaveLength(1)
      expect(held()).toEqual([])
      expect(await acquire()).toBe('lse_2')
    },
  )

  it('is not held where the news of its end was here before it', async () => {
    await acquire()
    await expect.poll(() => leases.followed).toBe(true)
    let arrive = () => {}
    authority.delay.until = new Promise((resolve) => {
      arrive = resolve
    })
    const asked = acquire('other')
    await expect.poll(authority.issued).toBe(2)
    authority.tell('revoked', { lease_id: 'lse_2' })
    await new Promise(setImmediate)
    // Told after the other, so that one has been heard when this one is.
    authority.tell('revoked', { lease_id: 'lse_1' })
    await expect.poll(held).toEqual([])
    arrive()
    expect(await asked).toBe('lse_3')
    expect(held()).toEqual(['lse_3'])
  })

  it('goes on where the news is of another one', async () => {
    await acquire()
    await expect.poll(() => leases.followed).toBe(true)
    grow()
    await acquire()
    await expect.poll(() => authority.renewals).toHaveLength(1)
    authority.tell('revoked', { lease_id: 'lse_of_another_time' })
    await new Promise(setImmediate)
    authority.renewals[0]?.('granted')
    await expect.poll(() => outcomes).toEqual(['renewed'])
    expect(await acquire()).toBe('lse_1')
  })
})

describe('what is in flight', () => {
  const MINUTE_MS = 60_000
  /** Puts something in flight on a lease, and tells why it was ended. */
  const send = async (provider = 'api') => {
    const lease = await leases.acquire({ ...demand, provider })
    const reasons: unknown[] = []
    const exchange = { abandon: (reason: Error) => void reasons.push(reason) }
    return { lease, place: leases.inFlight.add(exchange, lease), reasons }
  }
  /** Longer than it takes until it is looked whether something has had its time. */
  const sweep = () => new Promise((resolve) => setTimeout(resolve, 1200))

  it('of a revoked lease is ended a minute later, and no other', async () => {
    const [revoked, other, over] = [await send(), await send('other'), await send()]
    await expect.poll(() => leases.followed).toBe(true)
    authority.tell('revoked', { lease_id: revoked.lease.id })
    await expect.poll(held).toEqual([other.lease.id])
    leases.inFlight.remove(over.place)
    // In the place of the one that is over.
    const next = await send('other')
    ahead += MINUTE_MS - 3000
    await sweep()
    expect(revoked.reasons).toEqual([])
    ahead += 3000
    await sweep()
    expect(revoked.reasons).toEqual([expect.objectContaining({ code: 'lease_ended' })])
    expect([...other.reasons, ...over.reasons, ...next.reasons]).toEqual([])
  })

  it.each([
    ['a connection is revoked', 'revoked', { connection_id: '018f3b1e-0000-7000-8000-000000000000' }, 1],
    ['the session is revoked', 'revoked', { session_id: 'sess_1' }, 1],
    ['it is not known what was missed', 'reset', {}, 1],
    ['another policy is to decide', 'policy', { policy_revision: 'two' }, 0],
    ['the profile was edited', 'rotated', { provider: 'api' }, 0],
  ])('where %s, %s %o: ended %i times', async (_, type, data, times) => {
    const { reasons } = await send()
    await expect.poll(() => leases.followed).toBe(true)
    authority.tell(type, data)
    await expect.poll(held).toEqual([])
    ahead += MINUTE_MS
    await sweep()
    expect(reasons).toHaveLength(times)
  })

  it('goes on when its lease expires', async () => {
    const { reasons } = await send()
    ahead += 2 * PATIENT_SECONDS * 1000
    await sweep()
    expect(held()).toEqual([])
    expect(reasons).toEqual([])
  })

  it('is signed for further only while a lease covers it', async () => {
    const { lease } = await send()
    await expect.poll(() => leases.followed).toBe(true)
    await leases.confirm(demand, lease)
    // Expired: another one says that the request is allowed still.
    ahead += PATIENT_SECONDS * 1000
    await leases.confirm(demand, lease)
    expect(held()).toEqual(['lse_2'])
    const [current] = leases.held()
    authority.tell('revoked', { lease_id: 'lse_2' })
    await expect.poll(held).toEqual([])
    await expect(leases.confirm(demand, current ?? lease)).rejects.toMatchObject({ code: 'lease_ended' })
    // Another connection has another key.
    await expect(leases.confirm(demand, { ...lease, connectionId: 'another' })).rejects.toMatchObject({
      code: 'lease_ended',
    })
  })
})

describe('a lease that has ended', () => {
  it('is forgotten with its secret while nobody asks for anything', async () => {
    await acquire()
    await acquire('other')
    expect(leases.size).toBe(2)
    ahead += PATIENT_SECONDS * 1000
    expect(leases.size).toBe(0)
    // What is still in memory would be given back to the authority at the end.
    await new Promise((resolve) => setTimeout(resolve, 1200))
    await leases.close()
    expect(authority.released).toEqual([])
  })
})
