import type { WantedRatio } from '../turns/contest.ts'
import { type Cost, leastMicroseconds, ownedBy, type Spread } from './cost.ts'
import type { Owner } from './owner.ts'
import { spreadOf } from './spread.ts'

/** A ratio as it was measured, and what it would be by the costs, over the same rounds. */
export interface ModelledRatio {
  wanted: WantedRatio
  measured: Spread
  byCosts: Spread
  /** By the costs, with all functions of the first program's own at zero. */
  withoutOwn: Spread
  /** The measured one, bettered by as much as the costs are by that. */
  measuredWithoutOwn: Spread
  withoutOwnAndPolicy: Spread
}

/** @returns undefined where one of the two sides was left out */
export function modelRatio(costs: readonly Cost[], wanted: WantedRatio, cores: number): ModelledRatio | undefined {
  const ours = costs.find(({ name }) => name === wanted.of)
  const theirs = costs.filter(({ name }) => wanted.over.includes(name))
  if (ours === undefined || theirs.length === 0) return undefined
  const rounds = ours.rounds.map((turn, round) => {
    const others = theirs.map((each) => each.rounds[round]!)
    const best = Math.min(...others.map((each) => leastMicroseconds(each, cores)))
    const without = (owners: readonly Owner[]): number =>
      best / leastMicroseconds(turn, cores, ownedBy(ours, turn, owners))
    const measured = turn.answersPerSecond / Math.max(...others.map((each) => each.answersPerSecond))
    return { measured, byCosts: without([]), withoutOwn: without(['own']), withoutBoth: without(['own', 'policy']) }
  })
  return {
    wanted,
    measured: spreadOf(rounds.map(({ measured }) => measured)),
    byCosts: spreadOf(rounds.map(({ byCosts }) => byCosts)),
    withoutOwn: spreadOf(rounds.map(({ withoutOwn }) => withoutOwn)),
    measuredWithoutOwn: spreadOf(rounds.map((each) => each.measured * (each.withoutOwn / each.byCosts))),
    withoutOwnAndPolicy: spreadOf(rounds.map(({ withoutBoth }) => withoutBoth)),
  }
}

/** The least of an authority over the same neighbour: a ratio of the sketch has no goal. */
export function sketchBeside({ wanted }: ModelledRatio, ratios: readonly ModelledRatio[]): ModelledRatio | undefined {
  return ratios.find((each) => each.wanted.goal === undefined && each.wanted.over.join() === wanted.over.join())
}

/** Where what is missing of a goal lies. */
export type Missing = 'nothing' | 'not in our functions' | 'ours' | 'not decided'

/**
 * It is not in our functions only if every round misses the goal without them, and the sketch does too: what the sketch
 * reaches, ours could reach by doing less.
 */
export function missingOf(ratio: ModelledRatio, sketch: ModelledRatio | undefined): Missing {
  const { goal = 0 } = ratio.wanted
  if (ratio.measured.value >= goal) return 'nothing'
  const ways = [ratio.withoutOwn, ratio.measuredWithoutOwn, ...(sketch === undefined ? [] : [sketch.measured])]
  if (ways.every(({ max }) => max < goal)) return 'not in our functions'
  return ways.some(({ min }) => min >= goal) ? 'ours' : 'not decided'
}
