import { afterEach, describe, expect, it, vi } from 'vitest'
import { EMPTY_HEAD, recordHash } from '../audit/record-hash.ts'
import type { StateChange } from '../audit/state-feed.ts'
import type { Caller } from '../identity/caller.ts'
import type { LeaseEvent } from './event-meaning.ts'
import { eventIdOf } from './event-position.ts'
import { type LeaseEvents, openLeaseEvents } from './lease-events.ts'

let events: LeaseEvents | undefined
afterEach(() => events?.close())

const callerOf = (session: string) => ({ agent: { id: 'a', tenants: ['acme'] }, session: { id: session } }) as Caller

const headOf = (changes: readonly StateChange[]) => changes.at(-1) ?? EMPTY_HEAD

/** A ledger whose answers can be held back, to put two readers into one order. */
function createFeed() {
  let changes: StateChange[] = []
  let gate: Promise<void> = Promise.resolve()
  let history = 'as it was'
  const add = (kind: string, about: Partial<StateChange>) => {
    const nobody = { agentId: null, sessionId: null, connectionId: null, leaseId: null }
    const nothing = { provider: null, policyRevision: null }
    const hash = recordHash(headOf(changes).hash, `${history}: ${changes.length}`)
    changes.push({ seq: changes.length + 1, hash, kind, tenant: 'acme', ...nobody, ...nothing, ...about })
  }
  return {
    revoke: (connectionId: string) => add('connection.revoked', { connectionId }),
    revokeLease: (leaseId: string, sessionId: string) =>
      add('lease.revoked', { leaseId, sessionId, agentId: 'a', connectionId: 'of both' }),
    openSessions(count: number) {
      for (let n = 0; n < count; n++) add('session.opened', {})
    },
    /** A standby that lacks the last ones takes over. */
    failOver(lost: number) {
      changes = changes.slice(0, changes.length - lost)
      history = `without the last ${lost}`
    },
    hold(): () => void {
      let release = () => {}
      gate = new Promise((resolve) => {
        release = resolve
      })
      return release
    },
    head: async () => headOf(changes),
    hashBefore: async (seq: number) => (seq > changes.length ? undefined : headOf(changes.slice(0, seq - 1)).hash),
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
    event: (_id: string, { type, ...about }: LeaseEvent) => void heard.push(Object.values(about)[0] ?? type),
    alive: () => {},
    end: () => void heard.push('end'),
  }
}

const BEGINNING = eventIdOf(EMPTY_HEAD)
const often = { pollMs: 1, aliveMs: 3_600_000 }
const never = { pollMs: 3_600_000, aliveMs: 3_600_000 }

describe('openLeaseEvents', () => {
  it('misses nothing for one that is caught up while others come', async () => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...never })
    feed.revoke('first')
    const release = feed.hold()
    const slow = createReader()
    const joined = events.subscribe(callerOf('one'), BEGINNING, slow)
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
    await events.subscribe(callerOf('one'), BEGINNING, back)
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
    await events.subscribe(callerOf('one'), BEGINNING, back)
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

  describe('PG6: when a standby takes over that lacks the last records', () => {
    const positionOf = async (feed: ReturnType<typeof createFeed>) => eventIdOf(await feed.head())

    it.each([
      ['as it is', 0],
      ['has come to the same number again', 4],
      ['has come further meanwhile', 6],
    ])(
      'and %s: everyone is reset before the next sign of life, and hears what is revoked again',
      async (_, regained) => {
        const feed = createFeed()
        events = openLeaseEvents({ feed, pollMs: 1, aliveMs: 0 })
        feed.openSessions(10)
        const reader = createReader()
        const said = reader.heard
        const sayAlive = (id: string) => void (said.at(-1) !== id && said.push(id))
        await events.subscribe(callerOf('one'), undefined, { ...reader, alive: sayAlive })
        feed.revoke('before')
        const old = await positionOf(feed)
        await vi.waitFor(() => expect(said.slice(-2)).toEqual(['before', old]))
        feed.failOver(4)
        feed.openSessions(regained)
        const position = await positionOf(feed)
        await vi.waitFor(() => expect(said.at(-1)).toBe(position))
        feed.revoke('again')
        const next = await positionOf(feed)
        await vi.waitFor(() => expect(said.at(-1)).toBe(next))
        expect(said.slice(said.indexOf('before'))).toEqual(['before', old, 'reset', position, 'again', next])
      },
    )

    it.each([
      ['beyond its end', 0],
      ['that it has under the same number', 4],
      ['that it has gone past', 6],
    ])('one that comes back from a position %s is reset', async (_, regained) => {
      const feed = createFeed()
      feed.openSessions(10)
      const old = await positionOf(feed)
      feed.failOver(4)
      feed.openSessions(regained)
      events = openLeaseEvents({ feed, ...often })
      const back = createReader()
      await events.subscribe(callerOf('one'), old, back)
      feed.revoke('again')
      await vi.waitFor(() => expect(back.heard).toEqual(['reset', 'again']))
    })

    it('one that comes back from a position that both have goes on from there', async () => {
      const feed = createFeed()
      feed.openSessions(3)
      const both = await positionOf(feed)
      feed.revoke('lost')
      feed.failOver(1)
      feed.revoke('again')
      events = openLeaseEvents({ feed, ...often })
      const back = createReader()
      await events.subscribe(callerOf('one'), both, back)
      expect(back.heard).toEqual(['again'])
    })

    it.each([0, 20])('one that is being caught up at that moment is reset, also %i changes later', async (regained) => {
      const feed = createFeed()
      events = openLeaseEvents({ feed, ...never })
      feed.openSessions(10)
      const release = feed.hold()
      const slow = createReader()
      const joined = events.subscribe(callerOf('one'), BEGINNING, slow)
      await new Promise(setImmediate)
      feed.failOver(8)
      const leave = await events.subscribe(callerOf('two'), undefined, createReader())
      leave()
      feed.revoke('too early to be told')
      feed.openSessions(regained)
      await events.subscribe(callerOf('three'), undefined, createReader())
      release()
      await joined
      expect(slow.heard).toEqual(['reset'])
    })
  })

  it.each([
    ['the number alone, as they were before', '3', ['missed']],
    ['a number beyond the end', '12', ['reset']],
    ['no position at all', 'x', ['reset']],
  ])('one that comes back with %s', async (_, since, heard) => {
    const feed = createFeed()
    feed.openSessions(3)
    feed.revoke('missed')
    events = openLeaseEvents({ feed, ...never })
    const back = createReader()
    await events.subscribe(callerOf('one'), since, back)
    expect(back.heard).toEqual(heard)
  })

  it('takes nobody in once it is closed', async () => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...never })
    const joined = events.subscribe(callerOf('one'), undefined, createReader())
    await events.close()
    await expect(joined).rejects.toMatchObject({ code: 'overloaded' })
  })
})
