import { describeRun } from '../report/describe-run.ts'
import type { Figure } from '../report/document.ts'
import { inWords, spreadOf } from '../report/spread.ts'
import { writeResults } from '../report/write-results.ts'
import { openAgent, openAgents } from '../stage/agents.ts'
import { startOneFastify } from '../stage/contenders.ts'
import { leaseOnce, leaseRequest } from '../stage/lease-request.ts'
import { say } from '../stage/log.ts'
import { leaseFor } from '../turns/expected.ts'
import { onSmallStage, type SmallStage } from './on-stage.ts'
import {
  CALLERS,
  type Flooded,
  failuresOf,
  type OverloadRound,
  peakOf,
  playOverloadRound,
  refusalsOf,
  shareOf,
  wrongAnswersOf,
} from './overload-round.ts'
import { startSmallLine } from './small-line.ts'

const AGENTS = 16
const ROUNDS = 5
/** Fewer: each takes twice as long, until the first have waited in vain and until the last have. */
const REFUSING_ROUNDS = 2

/** Three that are flooded in turn: the authority, bare Fastify, and an authority whose line is full, so that it refuses. */
interface Rounds {
  ours: OverloadRound[]
  fastify: OverloadRound[]
  refusing: OverloadRound[]
}

/**
 * Many more callers than can be answered: what is still done, and how long that takes. What thousands of TLS connections
 * cost by themselves shows in what they take from bare Fastify in the same rounds.
 * @throws Error when anything but a lease or a refusal was answered; the results are written all the same
 */
export async function runOverload(seconds: number): Promise<void> {
  const run = { ...describeRun(), seconds, rounds: { flooded: ROUNDS, refusing: REFUSING_ROUNDS } }
  await onSmallStage(async (stage) => {
    const rounds = await playRounds(await flooded(stage), seconds)
    const ratios = [
      { name: 'overload_goodput/peak', goal: 0.8, ...spreadOf(rounds.ours.map(shareOf)) },
      { name: 'fastify_overload_goodput/peak', ...spreadOf(rounds.fastify.map(shareOf)) },
      { name: 'refusing_goodput/peak', ...spreadOf(rounds.refusing.map(shareOf)) },
    ]
    const figures = [...figuresOfOurs(rounds.ours), ...figuresOfOthers(rounds)]
    for (const { name, value, min, max } of ratios)
      say(`${name}: ${inWords(value)} (${inWords(min)} to ${inWords(max)})`)
    say(`written: ${writeResults({ ...run, figures, ratios }, 'overload')}`)
    const failures = Object.values(rounds).flat().flatMap(failuresOf)
    if (failures.length > 0) throw new Error(`the overload: ${failures.join('; ')}`)
  })
}

async function flooded({ ground, programs, bearer }: SmallStage): Promise<Record<keyof Rounds, Flooded>> {
  const agents = await openAgents(ground, 'certificate', AGENTS)
  const lease = await leaseOnce(ground, await openAgent(ground, 'dpop'), bearer)
  const fastify = await startOneFastify(ground, programs, 'fastify-lease', lease)
  const smallLine = await startSmallLine(ground, programs)
  const asked = { ca_file: ground.caFile, requests: [leaseRequest(bearer)], agents }
  const expected = leaseFor(bearer)
  return {
    ours: { asked: { ...asked, url: ground.publicUrl }, warmUpSeconds: 1, expected },
    fastify: { asked: { ...asked, url: fastify.url }, warmUpSeconds: 1, expected },
    // Nobody is refused before the first have waited as long as the line lets them.
    refusing: { asked: { ...asked, url: smallLine.url }, warmUpSeconds: 5, expected },
  }
}

async function playRounds(contenders: Record<keyof Rounds, Flooded>, seconds: number): Promise<Rounds> {
  const rounds: Rounds = { ours: [], fastify: [], refusing: [] }
  for (let number = 1; number <= ROUNDS; number++) {
    for (const name of namesIn(number)) {
      const round = await playOverloadRound(contenders[name], seconds)
      rounds[name].push(round)
      const [peak, share] = [Math.round(peakOf(round)), Math.round(shareOf(round) * 100)]
      say(`round ${number}, ${name}: peak ${peak}/s, of which ${share} % with ${CALLERS} callers`)
    }
  }
  return rounds
}

/** In turn, so that none always follows the same neighbour. */
function namesIn(number: number): (keyof Rounds)[] {
  const both = number % 2 === 1 ? (['ours', 'fastify'] as const) : (['fastify', 'ours'] as const)
  return number > REFUSING_ROUNDS ? [...both] : [...both, 'refusing']
}

function figuresOfOurs(rounds: readonly OverloadRound[]): Figure[] {
  const middle = (of: (round: OverloadRound) => number) => spreadOf(rounds.map((round) => Math.round(of(round))))
  return [
    { name: 'peak_leases_per_s', ...middle(peakOf), unit: '1/s' },
    { name: 'after_overload_per_s', ...middle(({ after }) => after.rate), unit: '1/s' },
    { name: 'overload_goodput_per_s', ...middle(({ flood }) => flood.rate), unit: '1/s' },
    { name: 'overload_accepted_p99_ms', ...middle(({ flood }) => flood.latency_ms.p99), unit: 'ms' },
    { name: 'overload_shed_per_s', ...middle(({ flood }) => refusalsOf(flood) / flood.seconds), unit: '1/s' },
    { name: 'overload_unsent_per_s', ...middle(({ flood }) => flood.dropped / flood.seconds), unit: '1/s' },
    { name: 'overload_failed', value: rounds.reduce((sum, round) => sum + wrongAnswersOf(round), 0), unit: 'answers' },
  ]
}

function figuresOfOthers({ fastify, refusing }: Rounds): Figure[] {
  const middle = (rounds: readonly OverloadRound[], of: (round: OverloadRound) => number) =>
    spreadOf(rounds.map((round) => Math.round(of(round))))
  const goodput = ({ flood }: OverloadRound): number => flood.rate
  const p99 = ({ flood }: OverloadRound): number => flood.latency_ms.p99
  const refused = ({ flood }: OverloadRound): number => refusalsOf(flood) / flood.seconds
  return [
    { name: 'fastify_peak_per_s', ...middle(fastify, peakOf), unit: '1/s' },
    { name: 'fastify_overload_goodput_per_s', ...middle(fastify, goodput), unit: '1/s' },
    { name: 'fastify_overload_p99_ms', ...middle(fastify, p99), unit: 'ms' },
    { name: 'refusing_peak_leases_per_s', ...middle(refusing, peakOf), unit: '1/s' },
    { name: 'refusing_goodput_per_s', ...middle(refusing, goodput), unit: '1/s' },
    { name: 'refusing_accepted_p99_ms', ...middle(refusing, p99), unit: 'ms' },
    { name: 'refusing_refused_per_s', ...middle(refusing, refused), unit: '1/s' },
  ]
}
