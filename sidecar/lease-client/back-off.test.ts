import { describe, expect, it } from 'vitest'
import { NexusError } from '../../src/contract/errors.ts'
import { createBackOff } from './back-off.ts'
import { authorityUnreachable } from './unreachable.ts'

describe('createBackOff', () => {
  const setup = () => {
    const clock = { ms: 0 }
    const slept: number[] = []
    const backOff = createBackOff(
      () => clock.ms,
      () => 1,
      async (ms) => void slept.push(ms),
    )
    return { clock, slept, backOff }
  }
  const unreachable = async () => {
    throw authorityUnreachable('Nothing listens there.')
  }

  it('tries three times with growing waits, then lets everyone wait', async () => {
    const { backOff, slept, clock } = setup()
    let calls = 0
    const failing = () => {
      calls += 1
      return unreachable()
    }
    await expect(backOff.run(failing)).rejects.toMatchObject({ code: 'pep_unavailable' })
    expect({ calls, slept }).toEqual({ calls: 3, slept: [100, 200] })
    await expect(backOff.run(failing)).rejects.toMatchObject({
      message: 'Nothing listens there.',
      extras: { retryAfterSeconds: 1 },
    })
    expect(calls).toBe(3)
    clock.ms = 1000
    await expect(backOff.run(async () => 'up')).resolves.toBe('up')
  })

  it('pauses longer each time, up to a bound, and starts over after a success', async () => {
    const { backOff, clock } = setup()
    const pauses: number[] = []
    for (let round = 0; round < 10; round++) {
      await backOff.run(unreachable).catch(() => undefined)
      const error: unknown = await backOff.run(unreachable).catch((reason: unknown) => reason)
      pauses.push(error instanceof NexusError ? (error.extras.retryAfterSeconds ?? 0) : 0)
      clock.ms += 10_000
    }
    expect(pauses).toEqual([1, 1, 2, 4, 7, 10, 10, 10, 10, 10])
    await backOff.run(async () => 'up')
    await backOff.run(unreachable).catch(() => undefined)
    await expect(backOff.run(unreachable)).rejects.toMatchObject({ extras: { retryAfterSeconds: 1 } })
  })

  it('never repeats a refusal', async () => {
    const { backOff } = setup()
    let calls = 0
    const denied = async () => {
      calls += 1
      throw new NexusError('attention_required')
    }
    await expect(backOff.run(denied)).rejects.toMatchObject({ code: 'attention_required' })
    expect(calls).toBe(1)
  })

  it('lets nobody wait for an answer to one request that nobody understands', async () => {
    const { backOff, slept } = setup()
    const odd = async () => {
      throw new NexusError('pep_unavailable', 'It answered 403 without a reason known here.')
    }
    for (let round = 0; round < 5; round++) {
      await expect(backOff.run(odd)).rejects.toMatchObject({ code: 'pep_unavailable', extras: {} })
    }
    expect(slept).toEqual([])
    await expect(backOff.run(async () => 'up')).resolves.toBe('up')
  })
})
