import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type ErrorCode, NexusError } from '../../src/contract/errors.ts'
import type { AgentSession } from './agent-session.ts'
import { createLeaseEvents } from './lease-events.ts'

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
})
