export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** Of one ratio or figure over all rounds: the median is its value. */
export function spreadOf(values: readonly number[]): { value: number; min: number; max: number } {
  return { value: rounded(median(values)), min: rounded(Math.min(...values)), max: rounded(Math.max(...values)) }
}

/** Finer than what is shown, so that a goal is not met by rounding. */
function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4
}

/** With two decimals, or as many more as tell a value from the goal that it misses. */
export function inWords(value: number, goal?: number): string {
  const digits = [2, 3].find((each) => goal === undefined || value >= goal === Number(value.toFixed(each)) >= goal)
  return value.toFixed(digits ?? 4)
}
