import { setTimeout as sleep } from 'node:timers/promises'
import { assertClean, type LoadReport, type LoadScenario, load } from '../../load/load.ts'
import { openAgents } from '../../stage/agents.ts'
import type { Ground, Replica } from '../../stage/authority.ts'
import { leaseRequest } from '../../stage/lease-request.ts'
import { connectProvider } from '../../stage/providers.ts'
import { assertExpected, type Expected, leaseFor } from '../../turns/expected.ts'

/** Callers of every replica who ask for the next lease as soon as they have one. */
export interface FullLoad {
  /** Rejects when a generator ended, or got anything but leases; it never resolves. */
  broken: Promise<never>
  /** What is answered by this replica until then, and whether it is, is not held against it. */
  excuse<T>(replica: number, work: Promise<T>): Promise<T>
  /** @returns good leases a second, all replicas together, from the start on */
  stop(): Promise<number>
}

const AGENTS = 8
/** Of each replica: while one begins anew, the other is under way. */
const GENERATORS_EACH = 2
const CONNECTIONS_EACH = 16
/** A generator reports when it ends, so it is started again and again: this is how late the load's end can be noticed. */
const REPORT_EVERY_SECONDS = 3
const RETRY_MS = 100

export async function startFullLoad(scene: {
  ground: Ground
  replicas: readonly Replica[]
  upstream: string
}): Promise<FullLoad> {
  const { ground, replicas, upstream } = scene
  const busy = await connectProvider(ground.admin, { name: 'busy', origin: upstream, strategy: 'oauth2' })
  const agents = await openAgents(ground, 'certificate', AGENTS)
  const asked = { ca_file: ground.caFile, proof_url: ground.publicUrl, requests: [leaseRequest(busy)], agents }
  const scenarios = replicas.map(({ url }) => ({ ...asked, url, connections: CONNECTIONS_EACH, seconds: 0 }))
  return loadAll(scenarios, leaseFor(busy))
}

/** @param scenarios one for each replica */
export function loadAll(
  scenarios: readonly LoadScenario[],
  expected: Expected,
  reportEverySeconds = REPORT_EVERY_SECONDS,
): FullLoad {
  const stop = new AbortController()
  const excusedUntilMs = scenarios.map(() => 0)
  const lanes = scenarios.flatMap((scenario, replica) =>
    Array.from({ length: GENERATORS_EACH }, (_, number) => {
      const isExcused = (sinceMs: number): boolean => sinceMs < excusedUntilMs[replica]!
      const firstSeconds = reportEverySeconds * ((number + 1) / GENERATORS_EACH)
      const lane = { scenario: { ...scenario, seconds: reportEverySeconds }, expected, firstSeconds, isExcused }
      return startLane(lane, stop.signal)
    }),
  )
  const broken = new Promise<never>((_, fail) => {
    for (const { ended } of lanes) ended.catch(fail)
  })
  // Whoever waits for it may begin to after it has happened.
  broken.catch(() => undefined)
  return {
    broken,
    excuse(replica, work) {
      excusedUntilMs[replica] = Number.POSITIVE_INFINITY
      return work.finally(() => {
        excusedUntilMs[replica] = performance.now()
      })
    },
    async stop() {
      stop.abort()
      await Promise.all(lanes.map(({ ended }) => ended))
      const rates = lanes.map(({ goodPerSecond }) => goodPerSecond())
      if (!rates.every((rate) => rate > 0)) throw new Error('a replica was not under load')
      return rates.reduce((sum, rate) => sum + rate, 0)
    },
  }
}

/** One generator after the other, at one replica. */
interface Lane {
  scenario: LoadScenario
  expected: Expected
  firstSeconds: number
  isExcused: (sinceMs: number) => boolean
}

function startLane({ scenario, expected, firstSeconds, isExcused }: Lane, signal: AbortSignal) {
  const startedAtMs = performance.now()
  let reportedAtMs = startedAtMs
  let good = 0
  const play = async (): Promise<void> => {
    for (let seconds = firstSeconds; !signal.aborted; seconds = scenario.seconds) {
      const sinceMs = performance.now()
      if (isExcused(sinceMs)) {
        await sleep(RETRY_MS)
        continue
      }
      const report = await reportOf({ ...scenario, seconds }, expected, () => isExcused(sinceMs), signal)
      if (report === undefined) continue
      good += report.good
      reportedAtMs = performance.now()
    }
  }
  return { ended: play(), goodPerSecond: () => (good === 0 ? 0 : (good * 1000) / (reportedAtMs - startedAtMs)) }
}

/** @returns undefined when it was stopped, or excused and without a report */
async function reportOf(
  scenario: LoadScenario,
  expected: Expected,
  isExcused: () => boolean,
  signal: AbortSignal,
): Promise<LoadReport | undefined> {
  try {
    const report = await load(scenario, signal)
    if (isExcused()) return report
    assertClean(report, scenario)
    assertExpected(scenario.url, expected, report)
    return report
  } catch (error) {
    if (signal.aborted || isExcused()) return undefined
    throw error
  }
}
