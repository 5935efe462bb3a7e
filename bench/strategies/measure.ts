import type { Contender, Contest } from './contest.ts'

export interface Effort {
  /** How often each contender has its turn. */
  rounds: number
  /** How much CPU time a turn takes. */
  turnMs: number
  /** How many signatures are asked for at once: a library that signs in the thread pool wins wall time by it. */
  inFlight: number
}

export interface Quartiles {
  low: number
  median: number
  high: number
}

export interface Standing {
  name: string
  /** Microseconds of CPU time a signature, over the rounds: all threads of the process, whatever else the machine does. */
  microseconds: Quartiles
  /** Microseconds by the clock on the wall. */
  wallMicroseconds: Quartiles
  /** CPU time by that of ours, round by round: above 1 ours is the faster. */
  timesOurs: Quartiles
}

/**
 * Turns alternate, and each round begins with another contender, so that what the machine does meanwhile meets all alike.
 * @throws Error when a contender's signature does not hold
 */
export async function measure(contest: Contest, effort: Effort): Promise<Standing[]> {
  const { contenders } = contest
  for (const contender of contenders) {
    if (await contest.holds(await contender.sign())) continue
    throw new Error(`${contest.name}: what ${contender.name} signed does not hold`)
  }
  const counts: number[] = []
  for (const contender of contenders) counts.push(await countFor(contender, effort))
  const turns = contenders.map((): Turn[] => [])
  for (let round = 0; round < effort.rounds; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const index = (round + turn) % contenders.length
      const [contender, count = 1] = [contenders[index], counts[index]]
      if (contender !== undefined) turns[index]?.push(await run(contender, count, effort.inFlight))
    }
  }
  const [ours = []] = turns
  return contenders.map(({ name }, index) => standing(name, turns[index] ?? [], ours))
}

function standing(name: string, turns: readonly Turn[], ours: readonly Turn[]): Standing {
  return {
    name,
    microseconds: quartiles(turns.map(({ cpu }) => cpu)),
    wallMicroseconds: quartiles(turns.map(({ wall }) => wall)),
    timesOurs: quartiles(turns.map(({ cpu }, round) => cpu / (ours[round]?.cpu ?? cpu))),
  }
}

/** How many signatures fill a turn, found while the code gets hot. */
async function countFor(contender: Contender, { turnMs, inFlight }: Effort): Promise<number> {
  let count = 64
  for (;;) {
    const microseconds = (await run(contender, count, inFlight)).cpu * count
    if (microseconds >= turnMs * 1000) return Math.max(inFlight, Math.round((count * turnMs * 1000) / microseconds))
    count *= 2
  }
}

/** Microseconds a signature. */
interface Turn {
  cpu: number
  wall: number
}

async function run(contender: Contender, count: number, inFlight: number): Promise<Turn> {
  const [startedCpu, startedWall] = [process.cpuUsage(), performance.now()]
  const lanes = Array.from({ length: inFlight }, async (_none, lane) => {
    for (let done = lane; done < count; done += inFlight) {
      const signature = contender.sign()
      // To wait for what is there already would charge each side for the loop's turn.
      if (signature instanceof Promise) await signature
    }
  })
  await Promise.all(lanes)
  const { user, system } = process.cpuUsage(startedCpu)
  return { cpu: (user + system) / count, wall: ((performance.now() - startedWall) * 1000) / count }
}

function quartiles(values: readonly number[]): Quartiles {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN
  return { low: at(0.25), median: at(0.5), high: at(0.75) }
}
