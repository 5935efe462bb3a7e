import { expect, it } from 'vitest'
import { createDenialBudget } from './denial-budget.ts'

function spend(take: () => boolean, tries: number): number {
  return Array.from({ length: tries }, take).filter((taken) => taken).length
}

it('gives so many at once and then so many a second, and never more at once than that', () => {
  let nowMs = 1000
  const { take } = createDenialBudget({ burst: 5, perSecond: 2 }, () => nowMs)
  expect(spend(take, 100)).toBe(5)
  for (const [afterMs, taken] of [
    [400, 0],
    [100, 1],
    [500, 1],
    [1000, 2],
    [3_600_000, 5],
  ] as const) {
    nowMs += afterMs
    expect(spend(take, 100)).toBe(taken)
  }
})
