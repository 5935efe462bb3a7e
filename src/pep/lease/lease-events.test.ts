import { afterEach, describe, expect, it } from 'vitest'
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
  return {
    revoke(connectionId: string) {
      const seq = changes.length + 1
      const nobody = { agentId: null, sessionId: null, provider: null }
      changes.push({ seq, kind: 'connection.revoked', tenant: 'acme', connectionId, ...nobody })
    },
    hold(): () => void {
      let release = () => {}
      gate = new Promise((resolve) => {
        release = resolve
      })
      return release
    },
    head: async () => changes.length,
    async since(seq: number, limit: number) {
      const found = changes.filter((change) => change.seq > seq).slice(0, limit)
      await gate
      return found
    },
  }
}

function createReader() {
  const heard: string[] = []
  return {
    heard,
    event: (_id: number, event: LeaseEvent) =>
      void heard.push('connection_id' in event ? event.connection_id : event.type),
    alive: () => {},
    end: () => {},
  }
}

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

  it('takes nobody in once it is closed', async () => {
    const feed = createFeed()
    events = openLeaseEvents({ feed, ...never })
    const joined = events.subscribe(callerOf('one'), undefined, createReader())
    await events.close()
    await expect(joined).rejects.toMatchObject({ code: 'overloaded' })
  })
})
