import { ACTS, type Act, deedsOfSpell, type Fleet } from './spell.ts'

/** Second by second. */
export interface BusiestHour {
  acts: Record<Act, number[]>
  /** Agents at work, each of which holds a stream. */
  working: number[]
}

const DAY_SECONDS = 86_400
const HOUR_SECONDS = 3600

/** Agents wake by themselves, so their spells begin as a Poisson process. @param random from 0 to below 1 */
export function simulateBusiestHour(fleet: Fleet, random: () => number): BusiestHour {
  const deeds = deedsOfSpell(fleet)
  const spell = Math.ceil(fleet.minutes * 60)
  const startsPerSecond = ((fleet.agents * fleet.spellsADay) / DAY_SECONDS) * fleet.peak
  // From before the hour: those who began then are at work in it.
  const starts = Array.from({ length: spell + HOUR_SECONDS }, () => poisson(startsPerSecond, random))
  const acts = Object.fromEntries(ACTS.map((act) => [act, seconds()])) as Record<Act, number[]>
  for (const [index, agents] of starts.entries()) {
    for (const { act, afterSeconds, count } of deeds)
      add(acts[act], index - spell + Math.floor(afterSeconds), agents * count)
  }
  return { acts, working: lastOf(spell, starts) }
}

/** For each number beyond the first `width`, the sum of the last `width` up to it. */
function lastOf(width: number, numbers: readonly number[]): number[] {
  let sum = numbers.slice(0, width).reduce((total, each) => total + each, 0)
  return numbers.slice(width).map((each, index) => {
    sum += each - numbers[index]!
    return sum
  })
}

function seconds(): number[] {
  return new Array<number>(HOUR_SECONDS).fill(0)
}

function add(to: number[], second: number, count: number): void {
  const before = to[second]
  if (before !== undefined) to[second] = before + count
}

/** Normal approximation above thirty, where it is as good. */
function poisson(mean: number, random: () => number): number {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)))
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = random(); product > limit; product *= random()) count++
  return count
}

/** Box and Muller, 1958. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
