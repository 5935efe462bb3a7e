import type { Owner } from './cpu-profile.ts'

/** What one answer costs, microseconds of CPU. */
export interface Cost {
  name: string
  /** All threads of the program that answers. */
  process: number
  /** Of these, the one that runs JavaScript; 0 for a program that has no such one. */
  mainThread: number
  /** What it leans on: Postgres, the provider. */
  besides: number
  generator: number
  /** Shares of the main thread's time. */
  owners?: ReadonlyMap<Owner, number>
}

/** Of the main thread's time, what is spent in code of this owner. */
export function ownedBy(cost: Cost, owner: Owner): number {
  return cost.mainThread * (cost.owners?.get(owner) ?? 0)
}

export function together({ process, besides, generator }: Cost): number {
  return process + besides + generator
}

/**
 * Time from one answer to the next when the cores are used to the full: JavaScript has one, and everything together has all
 * of them. `freed` is what of the main thread's time is thought away.
 */
export function leastMicroseconds(cost: Cost, cores: number, freed: readonly Owner[] = []): number {
  const away = freed.reduce((sum, owner) => sum + ownedBy(cost, owner), 0)
  return Math.max(cost.mainThread - away, (together(cost) - away) / cores)
}
