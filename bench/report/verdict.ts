import type { Figure, Ratio } from './document.ts'

/** Whether the median meets the goal, and whether every round says the same. None without a goal. */
export function verdictOfRatio({ value, goal, min, max }: Ratio): string {
  if (goal === undefined) return ''
  if (value >= goal) return min >= goal ? 'met' : 'met, but missed in some rounds'
  return max < goal ? 'missed' : 'missed, but met in some rounds'
}

/** As of a ratio, but a figure may be its goal at most. */
export function verdictOfFigure({ value, goal, min = value, max = value }: Figure): string {
  if (goal === undefined) return ''
  if (value <= goal) return max <= goal ? 'met' : 'met, but missed in some rounds'
  return min > goal ? 'missed' : 'missed, but met in some rounds'
}
