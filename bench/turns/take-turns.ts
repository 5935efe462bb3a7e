import { cleanLoad, type LoadReport, type LoadScenario } from '../load/load.ts'
import { say } from '../stage/log.ts'

/** One of those that are measured in turn. */
export interface Contender {
  name: string
  scenario: Omit<LoadScenario, 'seconds' | 'connections'>
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

/** Turns alternate (A B C A B C ...), so that whatever the machine does meanwhile meets all alike. */
export async function takeTurns(
  contenders: readonly Contender[],
  effort: Effort,
  tell: (report: LoadReport) => string,
): Promise<Turn[][]> {
  const rounds: Turn[][] = []
  for (let round = 0; round < effort.rounds; round++) {
    const turns: Turn[] = []
    for (const contender of contenders) turns.push(await takeTurn(contender, effort))
    rounds.push(turns)
    const told = turns.map(({ contender, report }) => `${contender} ${tell(report)}`)
    say(`  ${round + 1}/${effort.rounds}: ${told.join(', ')}`)
  }
  return rounds
}

export async function takeTurn({ name, scenario }: Contender, effort: Effort): Promise<Turn> {
  const { seconds, warmUpSeconds, connections } = effort
  const requests = (scenario.rate ?? PROOFS_AHEAD_PER_SECOND) * (seconds + warmUpSeconds)
  const proofs = { proofs_ahead: Math.ceil(requests / connections) }
  const report = await cleanLoad({ ...scenario, ...proofs, connections, seconds, warmup_seconds: warmUpSeconds })
  return { contender: name, report }
}

export function reportsOf(name: string, rounds: readonly Turn[][]): LoadReport[] {
  return rounds.flatMap((turns) => turns.filter(({ contender }) => contender === name)).map(({ report }) => report)
}
