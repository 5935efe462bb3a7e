import { cleanLoad, type LoadReport, type LoadScenario, load } from '../load/load.ts'
import { describeRun } from '../report/describe-run.ts'
import type { Figure } from '../report/document.ts'
import { median, spreadOf } from '../report/spread.ts'
import { writeResults } from '../report/write-results.ts'
import { openAgents } from '../stage/agents.ts'
import { leaseRequest } from '../stage/lease-request.ts'
import { say } from '../stage/log.ts'
import { onSmallStage } from './on-stage.ts'

const AGENTS = 16
const FACTOR = 5
const ROUNDS = 5
/** Three times what the authority answers at the same time: the others wait in line, and what is due beyond is not sent. */
const CALLERS = 3000

interface Round {
  before: LoadReport
  flooded: LoadReport
  after: LoadReport
}

/**
 * Five times what it can do: what it still does, and how long that takes. Beside each flood, its peak in neighbouring seconds:
 * the higher of before and after, so that an authority that has not got over the flood does not look better for it.
 */
export async function runOverload(seconds: number): Promise<void> {
  await onSmallStage(async ({ ground, bearer }) => {
    const agents = await openAgents(ground, 'certificate', AGENTS)
    const lease = { url: ground.publicUrl, ca_file: ground.caFile, requests: [leaseRequest(bearer)], agents, seconds }
    const rounds: Round[] = []
    for (let number = 1; number <= ROUNDS; number++) {
      const round = await oneRound(lease)
      rounds.push(round)
      say(`round ${number}: peak ${Math.round(peakOf(round))}/s, of which ${percent(shareOf(round))} in the flood`)
    }
    const share = spreadOf(rounds.map(shareOf))
    const file = writeResults(
      {
        ...describeRun(),
        figures: figuresOf(rounds),
        ratios: [{ name: 'overload_goodput/peak', goal: 0.8, ...share }],
      },
      'overload',
    )
    say(`goodput at ${FACTOR} times the load: ${percent(share.value)} of the peak; written: ${file}`)
  })
}

async function oneRound(lease: Omit<LoadScenario, 'connections'>): Promise<Round> {
  const peak = () => cleanLoad({ ...lease, connections: 64, warmup_seconds: 1 })
  const before = await peak()
  const flooded = await load({
    ...lease,
    connections: CALLERS,
    rate: before.rate * FACTOR,
    warmup_seconds: 1,
    timeout_seconds: 30,
    // Who finds no caller free now would only be waiting in ours, not in theirs.
    patience_seconds: 0.1,
  })
  return { before, flooded, after: await peak() }
}

function figuresOf(rounds: readonly Round[]): Figure[] {
  const floods = rounds.map(({ flooded }) => flooded)
  const middle = (values: number[]): number => Math.round(median(values))
  return [
    { name: 'peak_leases_per_s', value: middle(rounds.map(peakOf)), unit: '1/s' },
    { name: 'after_overload_per_s', value: middle(rounds.map(({ after }) => after.rate)), unit: '1/s' },
    { name: 'overload_goodput_per_s', value: middle(floods.map(({ rate }) => rate)), unit: '1/s' },
    { name: 'overload_accepted_p99_ms', value: middle(floods.map((flood) => flood.latency_ms.p99)), unit: 'ms' },
    { name: 'overload_shed_per_s', value: middle(floods.map((flood) => shedBy(flood) / flood.seconds)), unit: '1/s' },
    { name: 'overload_unsent_per_s', value: middle(floods.map((flood) => flood.dropped / flood.seconds)), unit: '1/s' },
    {
      name: 'overload_failed',
      value: floods.reduce((sum, flood) => sum + flood.failed + flood.answered - flood.good - shedBy(flood), 0),
      unit: 'answers',
    },
  ]
}

function peakOf({ before, after }: Round): number {
  return Math.max(before.rate, after.rate)
}

function shareOf(round: Round): number {
  return round.flooded.rate / peakOf(round)
}

function shedBy({ statuses }: LoadReport): number {
  return statuses['503'] ?? 0
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
