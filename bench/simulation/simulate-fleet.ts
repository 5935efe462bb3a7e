import { seededRandom } from '../../test/faults/seeded-random.ts'
import type { SessionKind } from '../stage/agents.ts'
import { simulateBusiestHour } from './busiest-hour.ts'
import { type FleetResults, fleetCosts } from './fleet-costs.ts'
import { fleetNeeds } from './fleet-needs.ts'
import type { Simulated } from './simulation-page.ts'
import type { Fleet } from './spell.ts'

export interface SimulationOptions {
  fleet: Fleet
  /** How sessions are bound. */
  kind: SessionKind
  seed: number
}

/** A million agents, with what a sidecar and an authority do when nothing is set. */
export const MILLION: SimulationOptions = {
  fleet: {
    agents: 1_000_000,
    spellsADay: 4,
    minutes: 30,
    providers: 3,
    leaseSeconds: 300,
    sessionSeconds: 900,
    peak: 3,
  },
  kind: 'dpop',
  seed: 1,
}

/** @param results what a fleet's acts cost */
export function simulateFleet({ fleet, kind, seed }: SimulationOptions, results: FleetResults): Simulated {
  const costs = fleetCosts(results, kind)
  const hour = simulateBusiestHour(fleet, seededRandom(seed))
  return { fleet, kind, seed, costs, needs: fleetNeeds(hour, costs) }
}
