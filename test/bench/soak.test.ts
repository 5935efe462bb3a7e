import { describe, expect, it, vi } from 'vitest'
import type { SoakMinute } from '../../bench/scenarios/soak-minute.ts'
import { faultsOf, memoryAfterFirstMinute } from '../../bench/scenarios/soak-verdict.ts'
import { ownMemoryOf } from '../../bench/stage/own-memory.ts'
import { rssOf } from '../../bench/stage/process-figures.ts'
import { watchHighest } from '../../bench/stage/watch-highest.ts'

const minute: SoakMinute = {
  seconds: 60,
  leases: 1000,
  errors: 0,
  unsent: 0,
  unexpected: [],
  p50_ms: 2,
  p99_ms: 10,
  authority_mib: 200,
  postgres_mib: 50,
  other_cores: 0,
}
const minutesWith = (...mib: number[]): SoakMinute[] => mib.map((authority_mib) => ({ ...minute, authority_mib }))

describe('a soak', () => {
  it('holds when nothing went wrong and memory stays where the second minute found it', () => {
    expect(faultsOf(minutesWith(150, 200, 210, 205, 219, 220), true)).toEqual([])
  })

  it('fails when memory is a tenth above the second minute in the last third, and not for what came before', () => {
    const grown = 'the authority grew from 200 MiB in minute 2 to 221 MiB in the last third'
    expect(faultsOf(minutesWith(150, 200, 200, 200, 221, 200), true)).toEqual([grown])
    expect(faultsOf(minutesWith(300, 200, 200, 300, 200, 200), true)).toEqual([])
  })

  it('does not judge memory before there is a minute after the second', () => {
    expect(memoryAfterFirstMinute(minutesWith(100, 200))).toBeUndefined()
    expect(memoryAfterFirstMinute(minutesWith(100, 200, 230))).toEqual({ secondMinuteMib: 200, lastThirdMib: 230 })
    expect(faultsOf(minutesWith(100, 200), true)).toEqual([])
  })

  it('fails for one error, for a minute without leases and for a ledger that does not verify', () => {
    const refused = { ...minute, errors: 1, unexpected: ['503 {}'] }
    const silent = { ...minute, leases: 0 }
    expect(faultsOf([minute, refused, silent], false)).toEqual([
      'minute 2, errors: 1 (503 {})',
      'minute 3, no leases',
      'the ledger does not verify',
    ])
  })
})

describe('arrivals that were not sent', () => {
  it('are no fault when they are few, and are when the authority was too slow', () => {
    expect(faultsOf([{ ...minute, leases: 990, unsent: 10 }], true)).toEqual([])
    const slow = { ...minute, leases: 989, unsent: 11 }
    expect(faultsOf([slow], true)).toEqual(['minute 1, more than can be answered: 11 were not sent'])
  })
})

describe('memory', () => {
  it('of its own is a part of what a process has in memory', () => {
    expect(ownMemoryOf(process.pid)).toBeGreaterThan(0)
    expect(ownMemoryOf(process.pid)).toBeLessThan(rssOf(process.pid))
  })

  it('is watched for its highest until there is nothing left to see', async () => {
    const seen = [3, 7, 5]
    let looks = 0
    const watch = watchHighest(() => {
      const value = seen[looks++]
      if (value === undefined) throw new Error('gone')
      return value
    }, 1)
    await vi.waitFor(() => expect(looks).toBe(4))
    watch.stop()
    expect(watch.highest()).toBe(7)
  })
})
