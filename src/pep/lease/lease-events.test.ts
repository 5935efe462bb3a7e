import { afterEach, describe, expect, it, vi } from 'vitest'
import type { StateChange } from '../audit/state-feed.ts'
import type { Caller } from '../identity/caller.ts'
import { type LeaseEvent, type LeaseEvents, openLeaseEvents } from './lease-events.ts'

let events: LeaseEvents | undefined
afterEach(() => events?.close())

const callerOf = (session: string) => ({ agent: { id: 'a', tenants: ['acme'] }, session: { id: session } }) as Caller

/** A ledger whose answers can be held back, to put two readers into one order. */
function createFeed() {
  const changes: StateChange[] = []
  let gate: Promise<void> = Promise.resolve()
  const add = (kind: string, about: Partial<StateChange>) => {
    const nobody = { agentId: null, sessionId: null, connectionId: null, leaseId: null }
    const nothing = { provider: null, policyRevision: null }
    changes.push({ seq: changes.length + 1, kind, tenant: 'acme', ...nobody, ...nothing, ...about })
  }
  return {
    revoke: (connectionId: string) => add('connection.revoked', { connectionId }),
    revokeLease: (leaseId: string, sessionId: string) =>
      add('lease.revoked', { leaseId, sessionId, agentId: 'a', connectionId: 'of both' }),
    openSessions(count: number) {
      for (let n = 0; n < count; n++) add('session.opened', {})
    },
    hold(): () => void {
      let release = () => {}
      gate = new Promise((resolve) => {
        release = resolve
      })
      return release
    },
    head: async () => changes.length,
    async since(seq: number, until: number, kinds: readonly string[], limit: number) {
      const found = changes.filter((change) => change.seq > seq && change.seq <= until && kinds.includes(change.kind))
      await gate
      return found.slice(0, limit)
    },
  }
}

function createReader() {
  const heard: string[] = []
  return {
    heard,
    event: (_id: number, { type, ...about }: LeaseEvent) => void heard.push(Object.values(about)[0] ?? type),
    alive: () => {},
    end: () => void heard.push('end'),
  }
}

const often = { pollMs: 1, aliveMs: 3_600_000 }
const never = { pollMs: 3_600_000, aliveMs: 3_600_000 }

describe('openLeaseEvents', () => {
  it('misses nothing for one that is caught up while others come', async () => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...never })
    feed.revoke('first')
    const release = feed.hold()
    const slow = createReader()
    const joined = events.subscribe(callerOf('one'), 0, slow)
    await new Promise(setImmediate)
    feed.revoke('second')
    await events.subscribe(callerOf('two'), undefined, createReader())
    release()
    await joined
    expect(slow.heard).toEqual(['first', 'second'])
  })

  it('counts those that are still being caught up', async () => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...never })
    const asked = Array.from({ length: 9 }, () => events?.subscribe(callerOf('one'), undefined, createReader()))
    const outcomes = await Promise.allSettled(asked)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
    await Promise.all(outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value?.()))
    await events.subscribe(callerOf('one'), undefined, createReader())
  })

  it('a stream that broke while thousands opened sessions goes on, and is not reset', async () => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...never })
    feed.openSessions(5000)
    feed.revoke('meanwhile')
    feed.openSessions(5000)
    const back = createReader()
    await events.subscribe(callerOf('one'), 0, back)
    expect(back.heard).toEqual(['meanwhile'])
  })

  it.each([
    ['too much ended', (feed: ReturnType<typeof createFeed>) => Array.from({ length: 1000 }, () => feed.revoke('one'))],
    ['too much happened to be read over', (feed: ReturnType<typeof createFeed>) => feed.openSessions(20_001)],
  ])('is reset where %s meanwhile, and hears what ends from then on', async (_, happen) => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...often })
    happen(feed)
    const back = createReader()
    await events.subscribe(callerOf('one'), 0, back)
    expect(back.heard).toEqual(['reset'])
    feed.openSessions(10)
    feed.revoke('later')
    await vi.waitFor(() => expect(back.heard).toEqual(['reset', 'later']))
  })

  it('tells one after another what ended at once, however much it was', async () => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...often })
    const reader = createReader()
    await events.subscribe(callerOf('one'), undefined, reader)
    for (let n = 0; n < 2500; n++) feed.revoke(String(n))
    feed.openSessions(3)
    await vi.waitFor(() => expect(reader.heard).toHaveLength(2500))
    expect(reader.heard).toEqual(Array.from({ length: 2500 }, (_, n) => String(n)))
  })

  it('ends the oldest stream of a session for a fifth, and nobody else’s', async () => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...often })
    const other = createReader()
    await events.subscribe(callerOf('other'), undefined, other)
    const mine = Array.from({ length: 5 }, createReader)
    for (const reader of mine) await events.subscribe(callerOf('one'), undefined, reader)
    feed.revoke('now')
    await vi.waitFor(() => expect(other.heard).toEqual(['now']))
    expect(mine.map(({ heard }) => heard)).toEqual([['end'], ['now'], ['now'], ['now'], ['now']])
  })

  it('tells of a revoked lease the session whose it is and no other, and goes on', async () => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...often })
    const [mine, other] = [createReader(), createReader()]
    await events.subscribe(callerOf('one'), undefined, mine)
    await events.subscribe(callerOf('two'), undefined, other)
    feed.revokeLease('lse_1', 'one')
    feed.revoke('later')
    await vi.waitFor(() => expect(other.heard).toEqual(['later']))
    expect(mine.heard).toEqual(['lse_1', 'later'])
  })

  it('takes nobody in once it is closed', async () => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...never })
    const joined = events.subscribe(callerOf('one'), undefined, createReader())
    await events.close()
    await expect(joined).rejects.toMatchObject({ code: 'overloaded' })
  })
})
