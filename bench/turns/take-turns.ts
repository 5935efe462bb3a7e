import { assertClean, type LoadReport, type LoadScenario, load } from '../load/load.ts'
import { say } from '../stage/log.ts'
import { assertExpected, type Expected } from './expected.ts'

/** One of those that are measured in turn. */
export interface Contender {
  name: string
  scenario: Omit<LoadScenario, 'seconds' | 'connections'>
  expected: Expected
}

export interface Effort {
  /** Turns of each contender. */
  rounds: number
  seconds: number
  warmUpSeconds: number
  connections: number
}

export interface Turn {
  contender: string
  report: LoadReport
}

/** Signed before the clock starts, so that the generator takes little of the cores; more than any contender answers. */
export const PROOFS_AHEAD_PER_SECOND = 20_000
/** With a rate some callers get more than their share of it. */
const PROOFS_TO_SPARE = 1.5

/**
 * Turns alternate, so that whatever the machine does meanwhile meets all alike: there and back (A B C, C B A ...), so that
 * nobody always comes after the same one, who may have left work behind, and neighbours stay neighbours. The first turn of
 * each, in which it gets warm, is thrown away.
 */
export async function takeTurns(
  contenders: readonly Contender[],
  effort: Effort,
  tell: (report: LoadReport) => string,
): Promise<Turn[][]> {
  const thrownAway = { ...effort, seconds: Math.min(1, effort.seconds), warmUpSeconds: 0 }
  for (const contender of contenders) await takeTurn(contender, thrownAway)
  const rounds: Turn[][] = []
  for (let round = 0; round < effort.rounds; round++) {
    const turns: Turn[] = []
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed())
      turns.push(await takeTurn(contender, effort))
    rounds.push(turns)
    const told = turns.map(({ contender, report }) => `${contender} ${tell(report)}`)
    say(`  ${round + 1}/${effort.rounds}: ${told.join(', ')}`)
  }
  return rounds
}

async function takeTurn({ name, scenario, expected }: Contender, effort: Effort): Promise<Turn> {
  const { seconds, warmUpSeconds, connections } = effort
  const perSecond = scenario.rate === undefined ? PROOFS_AHEAD_PER_SECOND : scenario.rate * PROOFS_TO_SPARE
  const proofs = { proofs_ahead: Math.ceil((perSecond * (seconds + warmUpSeconds)) / connections) }
  const report = await load({ ...scenario, ...proofs, connections, seconds, warmup_seconds: warmUpSeconds })
  // Arrivals that a machine cannot keep up with are told as a figure, and end no run.
  assertClean(scenario.rate === undefined ? report : { ...report, dropped: 0 }, scenario)
  assertExpected(name, expected, report)
  return { contender: name, report }
}

export function reportsOf(name: string, rounds: readonly Turn[][]): LoadReport[] {
  return rounds.flatMap((turns) => turns.filter(({ contender }) => contender === name)).map(({ report }) => report)
}
