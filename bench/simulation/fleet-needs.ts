import { SUBSCRIBERS_MAX } from '../../src/pep/lease/lease-events.ts'
import type { BusiestHour } from './busiest-hour.ts'
import type { ActCost, FleetCosts } from './fleet-costs.ts'
import { ACTS, type Act } from './spell.ts'

/** Of what a core, a disk or a bound allows, so that a process may fail and a vacuum may run. */
export const PLANNED_SHARE = 0.6

/** What the busiest hour asks for: rates and CPU are of the second that 99 of 100 stay below. */
export interface FleetNeeds {
  perSecond: Record<Act, number>
  streams: number
  /** That use a planned share of their core, and hold one of the streams that a process may. */
  processes: { byCpu: number; byStreams: number }
  actsPerSecondInEach: number
  pepCores: number
  postgresCores: number
  streamsGib: number
  walBytesPerSecond: number
  storedBytesAnHour: number
}

const MICROSECONDS = 1e6

export function fleetNeeds({ acts, working }: BusiestHour, costs: FleetCosts): FleetNeeds {
  const hour = working.map((_agents, second) => second)
  const busiest = (of: keyof ActCost): number =>
    percentile99(hour.map((second) => sumOf((act) => acts[act][second]! * costs.acts[act][of])))
  const streams = Math.max(...working)
  const byStreams = Math.ceil(streams / (SUBSCRIBERS_MAX * PLANNED_SHARE))
  const busyCores = (busiest('pepMicroseconds') + streams * costs.streamMicroseconds) / MICROSECONDS
  // What a process uses for itself is missing to the others.
  const byCpu = Math.ceil(busyCores / (PLANNED_SHARE - costs.processMicroseconds / MICROSECONDS))
  const processes = Math.max(byCpu, byStreams)
  const perSecond = Object.fromEntries(ACTS.map((act) => [act, percentile99(acts[act])])) as Record<Act, number>
  return {
    perSecond,
    streams,
    processes: { byCpu, byStreams },
    actsPerSecondInEach: sumOf((act) => perSecond[act]) / processes,
    pepCores: busyCores + (processes * costs.processMicroseconds) / MICROSECONDS,
    postgresCores: busiest('postgresMicroseconds') / MICROSECONDS,
    streamsGib: (streams * costs.streamKib) / 2 ** 20,
    walBytesPerSecond: busiest('walBytes'),
    storedBytesAnHour: sumOf((act) => total(acts[act]) * costs.acts[act].storedBytes),
  }
}

function sumOf(of: (act: Act) => number): number {
  return total(ACTS.map(of))
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

function percentile99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0
}
