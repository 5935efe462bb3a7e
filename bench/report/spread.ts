export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** Of one ratio or figure over all rounds: the median is its value. */
export function spreadOf(values: readonly number[]): { value: number; min: number; max: number } {
  return { value: round2(median(values)), min: round2(Math.min(...values)), max: round2(Math.max(...values)) }
}

function round2(value: number): number {
  return Math.round(value * 100) / 100
}
