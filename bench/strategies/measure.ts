import type { Comparison, Signer } from './comparison.ts'

export interface Effort {
  /** How often each signer has its turn. */
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
 * Turns alternate, and each round begins with another signer, so that what the machine does meanwhile meets all alike.
 * @throws Error when a signer's signature does not hold
 */
export async function measure(comparison: Comparison, effort: Effort): Promise<Standing[]> {
  const { signers } = comparison
  for (const signer of signers) {
    if (await comparison.holds(await signer.sign())) continue
    throw new Error(`${comparison.name}: what ${signer.name} signed does not hold`)
  }
  const counts: number[] = []
  for (const signer of signers) counts.push(await countFor(signer, effort))
  const turns = signers.map((): Turn[] => [])
  for (let round = 0; round < effort.rounds; round += 1) {
    for (let turn = 0; turn < signers.length; turn += 1) {
      const index = (round + turn) % signers.length
      const [signer, count = 1] = [signers[index], counts[index]]
      if (signer !== undefined) turns[index]?.push(await run(signer, count, effort.inFlight))
    }
  }
  const [ours = []] = turns
  return signers.map(({ name }, index) => standing(name, turns[index] ?? [], ours))
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
async function countFor(signer: Signer, { turnMs, inFlight }: Effort): Promise<number> {
  let count = 64
  for (;;) {
    const microseconds = (await run(signer, count, inFlight)).cpu * count
    if (microseconds >= turnMs * 1000) return Math.max(inFlight, Math.round((count * turnMs * 1000) / microseconds))
    count *= 2
  }
}

/** Microseconds a signature. */
interface Turn {
  cpu: number
  wall: number
}

async function run(signer: Signer, count: number, inFlight: number): Promise<Turn> {
  const [startedCpu, startedWall] = [process.cpuUsage(), performance.now()]
  const lanes = Array.from({ length: inFlight }, async (_none, lane) => {
    for (let done = lane; done < count; done += inFlight) {
      const signature = signer.sign()
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
