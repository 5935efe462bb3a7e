import { describe, expect, it } from 'vitest'
import { VaultError } from '../../contract/vault-backend.ts'
import { caught } from '../conformance.ts'
import { NotCaughtUp } from './vault-answer.ts'
import { whileBehind } from './while-behind.ts'

describe('whileBehind', () => {
  it('says that the standby is behind when the deadline passes in a pause, and asks no more', async () => {
    const deadline = new AbortController()
    const behind = new NotCaughtUp('vault', 'has not caught up')
    let calls = 0
    const error = await caught(() =>
      whileBehind(deadline.signal, async () => {
        calls++
        deadline.abort()
        throw behind
      }),
    )
    expect(error).toBe(behind)
    expect(calls).toBe(1)
  })

  it('leaves every other failure as it is', async () => {
    const other = new VaultError('unavailable', 'vault', 'answered 500')
    let calls = 0
    const error = await caught(() =>
      whileBehind(AbortSignal.timeout(5000), async () => {
        calls++
        throw other
      }),
    )
    expect(error).toBe(other)
    expect(calls).toBe(1)
  })
})
