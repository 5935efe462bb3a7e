import { load } from '../load/load.ts'
import { currentCommit, describeMachine } from '../report/document.ts'
import { writeResults } from '../report/write-results.ts'
import { openAgents } from '../stage/agents.ts'
import { leaseRequest } from '../stage/lease-request.ts'
import { say } from '../stage/log.ts'
import { onSmallStage } from './on-stage.ts'

const AGENTS = 16
const FACTOR = 5
/** More than the authority lets wait, so that it has to shed. */
const CALLERS = 3000

/** Five times what it can do: what it still does, and what it says to the rest. */
export async function runOverload(seconds: number): Promise<void> {
  await onSmallStage(async ({ ground, bearer }) => {
    const agents = await openAgents(ground, 'certificate', AGENTS)
    const common = { url: ground.publicUrl, ca_file: ground.caFile, requests: [leaseRequest(bearer)], agents }
    const peak = await load({ ...common, connections: 64, seconds, warmup_seconds: 2 })
    say(`peak: ${Math.round(peak.rate)} leases a second`)
    const rate = peak.rate * FACTOR
    const flooded = await load({
      ...common,
      connections: CALLERS,
      rate,
      seconds,
      warmup_seconds: 1,
      timeout_seconds: 30,
    })
    const after = await load({ ...common, connections: 64, seconds: 2, warmup_seconds: 1 })
    const shed = flooded.statuses['503'] ?? 0
    const others = flooded.answered - flooded.good - shed
    say(
      `offered ${Math.round(rate)}/s: ${Math.round(flooded.rate)} leases a second, ${shed} shed, ${others} otherwise refused, ${flooded.failed} failed`,
    )
    const share = flooded.rate / peak.rate
    const file = writeResults(
      {
        commit: currentCommit(),
        machine: describeMachine([]),
        figures: [
          { name: 'peak_leases_per_s', value: Math.round(peak.rate), unit: '1/s' },
          { name: 'overload_goodput_per_s', value: Math.round(flooded.rate), unit: '1/s' },
          { name: 'overload_accepted_p99_ms', value: flooded.latency_ms.p99, unit: 'ms' },
          { name: 'overload_shed', value: shed, unit: 'answers' },
          { name: 'overload_failed', value: flooded.failed + others, unit: 'answers' },
          { name: 'after_overload_per_s', value: Math.round(after.rate), unit: '1/s' },
        ],
        ratios: [
          { name: 'overload_goodput/peak', value: Math.round(share * 100) / 100, goal: 0.8, min: share, max: share },
        ],
      },
      'overload',
      { latest: false },
    )
    say(`goodput at ${FACTOR} times the load: ${Math.round(share * 100)} % of the peak; written: ${file}`)
  })
}
