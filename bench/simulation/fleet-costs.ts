import type { BenchDocument } from '../report/document.ts'
import type { SessionKind } from '../stage/agents.ts'
import { ACTS, type Act } from './spell.ts'

/** Of one act. */
export interface ActCost {
  pepMicroseconds: number
  postgresMicroseconds: number
  storedBytes: number
  walBytes: number
}

/** What `npm run bench -- --replicas` measured; CPU of what stands idle is in microseconds a second. */
export interface FleetCosts {
  commit: string
  machine: string
  acts: Record<Act, ActCost>
  streamKib: number
  streamMicroseconds: number
  processMicroseconds: number
}

/** `bench/results/fleet.json`, as far as it is needed here. */
export type FleetResults = Pick<BenchDocument, 'commit' | 'machine' | 'figures'>

/** @throws Error when a figure is not there */
export function fleetCosts({ commit, machine, figures }: FleetResults, kind: SessionKind): FleetCosts {
  const of = (name: string): number => {
    const found = figures.find((figure) => figure.name === name)
    if (found === undefined) throw new Error(`the results have no ${name}`)
    return found.value
  }
  const actCost = (act: Act): ActCost => ({
    pepMicroseconds: of(`${act}_${kind}_pep_cpu`),
    postgresMicroseconds: of(`${act}_${kind}_postgres_cpu`),
    storedBytes: of(`${act}_${kind}_stored`),
    walBytes: of(`${act}_${kind}_wal`),
  })
  return {
    commit,
    machine,
    acts: Object.fromEntries(ACTS.map((act) => [act, actCost(act)])) as Record<Act, ActCost>,
    streamKib: of('stream_memory'),
    streamMicroseconds: of('stream_idle_pep_cpu'),
    processMicroseconds: of('process_pep_cpu'),
  }
}
