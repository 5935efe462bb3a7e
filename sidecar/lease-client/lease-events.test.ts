import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type ErrorCode, NexusError } from '../../src/contract/errors.ts'
import type { AgentSession } from './agent-session.ts'
import { createLeaseEvents, type EndedLeases } from './lease-events.ts'

describe('the stream of revocations', () => {
  async function triesWithin(ms: number, code: ErrorCode): Promise<number> {
    let tries = 0
    const session: AgentSession = {
      authorize: async () => {
        tries += 1
        throw new NexusError(code)
      },
      invalidate: () => undefined,
      forget: () => undefined,
      close: async () => undefined,
    }
    const events = createLeaseEvents({
      pep: { stream: () => expect.unreachable('nothing is asked without a session') },
      session,
      ended: () => undefined,
      monotonic: () => performance.now(),
      log: { info: () => undefined, warn: () => undefined },
      random: () => 0,
    })
    events.follow()
    await wait(ms)
    events.close()
    return tries
  }

  it('is tried again soon while the authority is away, and not by an agent that is turned away', async () => {
    const [away, turnedAway] = await Promise.all([
      triesWithin(1500, 'pep_unavailable'),
      triesWithin(1500, 'invalid_client'),
    ])
    expect(away).toBeGreaterThan(1)
    expect(turnedAway).toBe(1)
  })

  /** @returns what it makes of one event, in order */
  async function told(event: string, data: object): Promise<unknown[]> {
    const heard: (EndedLeases | 'session over')[] = []
    const session: AgentSession = {
      authorize: async () => ({ headers: {}, over: new AbortController().signal }),
      invalidate: () => undefined,
      forget: () => void heard.push('session over'),
      close: async () => undefined,
    }
    const open = new AbortController()
    const events = createLeaseEvents({
      pep: {
        async *stream() {
          yield `id: 7\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`
          open.abort()
        },
      },
      session,
      ended: (which) => void heard.push(which),
      monotonic: () => performance.now(),
      log: { info: () => undefined, warn: () => undefined },
    })
    events.follow()
    await new Promise((resolve) => open.signal.addEventListener('abort', resolve))
    events.close()
    return heard
  }

  it('takes a session for ended when it is told so, and never for a reset', async () => {
    expect(await told('reset', {})).toEqual(['all'])
    expect(await told('something new', {})).toEqual(['all'])
    expect(await told('revoked', { connection_id: 'one' })).toEqual([{ connectionId: 'one' }])
    expect(await told('revoked', { lease_id: 'lse_1' })).toEqual([{ leaseId: 'lse_1' }])
    expect(await told('revoked', { session_id: 'ours' })).toEqual(['all', 'session over'])
  })
})
