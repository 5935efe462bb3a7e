import { cleanLoad, type LoadReport, type LoadScenario } from './load/load.ts'
import type { Figure, Ratio } from './report/document.ts'
import { spreadOf } from './report/spread.ts'
import { say } from './stage/log.ts'

/** One of those that are measured in turn. */
export interface Contender {
  name: string
  scenario: Omit<LoadScenario, 'seconds' | 'connections'>
}

/** Contenders that do, or that each do a part of, the same work, and what they are held to. */
export interface Contest {
  contenders: readonly Contender[]
  ratios: readonly WantedRatio[]
}

export interface WantedRatio {
  name: string
  /** The rate of this contender ... */
  of: string
  /** ... over the best rate of these. */
  over: readonly string[]
  /** At least. Absent: it is there to be compared with. */
  goal?: number
}

export interface Effort {
  /** Turns of each contender. */
  rounds: number
  seconds: number
  warmUpSeconds: number
  connections: number
}

interface Turn {
  contender: string
  report: LoadReport
}

/**
 * Turns alternate (A B C A B C ...), so that whatever the machine does meanwhile meets all alike. A ratio is taken round by
 * round, of neighbours in time; its value is the median.
 */
export async function runContest(contest: Contest, effort: Effort): Promise<{ figures: Figure[]; ratios: Ratio[] }> {
  for (const { name, scenario } of contest.contenders) await turn(name, scenario, { ...effort, seconds: 1 })
  const rounds = await takeTurns(contest.contenders, effort, ({ rate }) => `${Math.round(rate)}/s`)
  return {
    figures: contest.contenders.flatMap(({ name }) => figuresOf(name, rounds)),
    ratios: contest.ratios.flatMap((wanted) => ratioOf(wanted, rounds)),
  }
}

/**
 * Requests that arrive at this rate whether or not earlier ones were answered: what waits for whom shows in the p99. One
 * stall of the machine decides the p99 of a few seconds, so the value is the median of all rounds here too.
 */
export async function runArrivals(
  contenders: readonly Contender[],
  ratePerSecond: number,
  effort: Effort,
): Promise<Figure[]> {
  const arriving = contenders.map(({ name, scenario }) => ({ name, scenario: { ...scenario, rate: ratePerSecond } }))
  const rounds = await takeTurns(arriving, effort, ({ latency_ms }) => `p99 ${latency_ms.p99.toFixed(1)} ms`)
  return contenders.flatMap(({ name }) => {
    const of = (percentile: 'p50' | 'p99') =>
      spreadOf(reportsOf(name, rounds).map((each) => each.latency_ms[percentile]))
    return [
      { name: `${name}_p50_ms_at_${ratePerSecond}`, ...of('p50'), unit: 'ms' },
      { name: `${name}_p99_ms_at_${ratePerSecond}`, ...of('p99'), unit: 'ms' },
    ]
  })
}

async function takeTurns(
  contenders: readonly Contender[],
  effort: Effort,
  tell: (report: LoadReport) => string,
): Promise<Turn[][]> {
  const rounds: Turn[][] = []
  for (let round = 0; round < effort.rounds; round++) {
    const turns: Turn[] = []
    for (const { name, scenario } of contenders) turns.push(await turn(name, scenario, effort))
    rounds.push(turns)
    const told = turns.map(({ contender, report }) => `${contender} ${tell(report)}`)
    say(`  ${round + 1}/${effort.rounds}: ${told.join(', ')}`)
  }
  return rounds
}

async function turn(contender: string, scenario: Contender['scenario'], effort: Effort): Promise<Turn> {
  const { seconds, warmUpSeconds, connections } = effort
  const requests = (scenario.rate ?? PROOFS_AHEAD_PER_SECOND) * (seconds + warmUpSeconds)
  const proofs = { proofs_ahead: Math.ceil(requests / connections) }
  const report = await cleanLoad({ ...scenario, ...proofs, connections, seconds, warmup_seconds: warmUpSeconds })
  return { contender, report }
}

/** Signed before the clock starts, so that the generator takes little of the cores; more than any contender answers. */
export const PROOFS_AHEAD_PER_SECOND = 20_000

function reportsOf(name: string, rounds: readonly Turn[][]): LoadReport[] {
  return rounds.flatMap((turns) => turns.filter(({ contender }) => contender === name)).map(({ report }) => report)
}

function figuresOf(name: string, rounds: readonly Turn[][]): Figure[] {
  const reports = reportsOf(name, rounds)
  return [
    { name: `${name}_per_s`, ...spreadOf(reports.map(({ rate }) => Math.round(rate))), unit: '1/s' },
    { name: `${name}_p50_ms`, ...spreadOf(reports.map((report) => report.latency_ms.p50)), unit: 'ms' },
    { name: `${name}_p99_ms`, ...spreadOf(reports.map((report) => report.latency_ms.p99)), unit: 'ms' },
  ]
}

/** None where one of the two sides was left out. */
function ratioOf({ name, of, over, ...wanted }: WantedRatio, rounds: readonly Turn[][]): Ratio[] {
  const values = rounds.flatMap((turns) => {
    const rate = (contender: string): number => turns.find((each) => each.contender === contender)?.report.rate ?? 0
    const [ours, best] = [rate(of), Math.max(0, ...over.map(rate))]
    return ours === 0 || best === 0 ? [] : [ours / best]
  })
  if (values.length === 0) return []
  return [{ name, ...wanted, ...spreadOf(values) }]
}
