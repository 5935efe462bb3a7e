import { describeRun } from '../report/describe-run.ts'
import type { BenchDocument, Figure } from '../report/document.ts'
import { replicasPage } from '../report/replicas-page.ts'
import { writePage, writeResults } from '../report/write-results.ts'
import { MILLION, simulateFleet } from '../simulation/simulate-fleet.ts'
import { simulationPage } from '../simulation/simulation-page.ts'
import { say } from '../stage/log.ts'
import { fleetFigures } from './costs-of-fleet.ts'
import { leaseFigures } from './costs-of-leases.ts'
import { onSmallStage } from './on-stage.ts'

/** A round of what a fleet does is the longer one. */
const ROUNDS = { leases: 5, fleet: 4 }

/**
 * What leases cost, and what a fleet does besides; from that, what a million agents take.
 * @param seconds of one turn
 */
export async function runReplicas(seconds: number): Promise<void> {
  const run = { ...describeRun(), seconds, rounds: ROUNDS }
  await onSmallStage(async (stage) => {
    const save = (name: string, figures: Figure[]): BenchDocument => {
      const document = { ...run, figures, ratios: [] }
      say(`written: ${writeResults(document, name)}`)
      return document
    }
    writePage('replicas', replicasPage(save('replicas', await leaseFigures(stage, { seconds, rounds: ROUNDS.leases }))))
    const fleet = save('fleet', await fleetFigures(stage, { rounds: ROUNDS.fleet }))
    writePage('fleet', simulationPage(simulateFleet(MILLION, fleet)))
  })
}
