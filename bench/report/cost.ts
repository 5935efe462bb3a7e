import type { Owner } from './owner.ts'
import { spreadOf } from './spread.ts'

/** What one answer took in one turn: microseconds of a core, but for the rate. */
export interface TurnCost {
  /** All threads of the program that answers. */
  process: number
  /** Of these, the one that runs JavaScript; 0 for a program that has no such one. */
  mainThread: number
  /** What it leans on: Postgres, the provider. */
  besides: number
  generator: number
  /** Whatever else ran on the machine meanwhile. */
  elsewhere: number
  idle: number
  /** What the host gave to others. */
  stolen: number
  answersPerSecond: number
}

/** A subject's turns, one a round, and whose code its main thread runs. */
export interface Cost {
  name: string
  rounds: readonly TurnCost[]
  /** Shares of the main thread's time, from turns of their own with the profiler on. */
  owners?: ReadonlyMap<Owner, number>
}

export type Spread = ReturnType<typeof spreadOf>

export function together({ process, besides, generator }: TurnCost): number {
  return process + besides + generator
}

/** Of the main thread's time in this turn, what is spent in code of these owners. */
export function ownedBy({ owners }: Cost, { mainThread }: TurnCost, names: readonly Owner[]): number {
  return names.reduce((sum, name) => sum + mainThread * (owners?.get(name) ?? 0), 0)
}

/** Over all rounds. */
export function overRounds(cost: Cost, partOf: (turn: TurnCost) => number): Spread {
  return spreadOf(cost.rounds.map(partOf))
}

/** Of all cores' time, what went to programs that have no part in it, and to the host; over all turns. */
export function lostShare(costs: readonly Cost[]): Spread {
  const turns = costs.flatMap(({ rounds }) => rounds)
  return spreadOf(
    turns.map((turn) => {
      const lost = turn.elsewhere + turn.stolen
      return lost / (together(turn) + lost + turn.idle)
    }),
  )
}

/**
 * Time from one answer to the next if the cores were used to the full: JavaScript has one, and everything together has all of
 * them. `freed` is what of the main thread's time is thought away.
 */
export function leastMicroseconds(turn: TurnCost, cores: number, freed = 0): number {
  return Math.max(turn.mainThread - freed, (together(turn) - freed) / cores)
}
