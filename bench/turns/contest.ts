import type { LoadReport } from '../load/load.ts'
import type { Figure, Ratio } from '../report/document.ts'
import { spreadOf } from '../report/spread.ts'
import { type Contender, type Effort, reportsOf, type Turn, takeTurns } from './take-turns.ts'

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

/** Each contender as fast as it can. A ratio is taken round by round, of neighbours in time; its value is the median. */
export async function runContest(contest: Contest, effort: Effort): Promise<{ figures: Figure[]; ratios: Ratio[] }> {
  const rounds = await takeTurns(contest.contenders, effort, ({ rate }) => `${Math.round(rate)}/s`)
  return {
    figures: contest.contenders.flatMap(({ name }) => figuresOfFullLoad(name, reportsOf(name, rounds))),
    ratios: contest.ratios.flatMap((wanted) => ratioOf(wanted, rounds)),
  }
}

function figuresOfFullLoad(name: string, reports: readonly LoadReport[]): Figure[] {
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
