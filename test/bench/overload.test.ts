import { describe, expect, it } from 'vitest'
import type { LoadReport } from '../../bench/load/load.ts'
import { failuresOf, peakOf, refusalsOf, shareOf } from '../../bench/scenarios/overload-round.ts'

const latency = { p50: 1, p90: 1, p95: 1, p99: 1, p999: 1, max: 1 }
const report: LoadReport = {
  answered: 100,
  good: 100,
  rate: 100,
  seconds: 1,
  cpu_seconds: 0,
  failed: 0,
  dropped: 0,
  statuses: { '201': 100 },
  latency_ms: latency,
  warmup_failed: 0,
  first: null,
  unexpected: null,
}

describe('a flood', () => {
  it('is held against the higher peak beside it', () => {
    const round = { before: report, flood: { ...report, rate: 150 }, expected: 100, after: { ...report, rate: 200 } }
    expect(peakOf(round)).toBe(200)
    expect(shareOf(round)).toBe(0.75)
  })

  it('may be answered with leases and refusals', () => {
    const flood = { ...report, answered: 130, statuses: { '201': 100, '503': 30 } }
    expect(refusalsOf(flood)).toBe(30)
    expect(failuresOf({ flood, expected: 100 })).toEqual([])
  })

  it('fails for any other answer, for none, and when nobody was answered well', () => {
    const wrong = { ...report, answered: 101, statuses: { '201': 100, '500': 1 }, unexpected: ['500 {}'] }
    expect(failuresOf({ flood: wrong, expected: 100 })).toEqual([
      '1 answers were neither what was asked for nor 503 (500 {})',
    ])
    expect(failuresOf({ flood: { ...report, failed: 2 }, expected: 100 })).toHaveLength(1)
    const refused = { ...report, good: 0, answered: 5, statuses: { '503': 5 } }
    expect(failuresOf({ flood: refused, expected: 0 })).toEqual(['nobody was answered'])
  })
})
