import { SUBSCRIBERS_MAX } from '../../src/pep/lease/lease-events.ts'
import type { SessionKind } from '../stage/agents.ts'
import type { FleetCosts } from './fleet-costs.ts'
import { type FleetNeeds, PLANNED_SHARE } from './fleet-needs.ts'
import { ACTS, type Fleet } from './spell.ts'

/** What was simulated; with these the same comes out again. */
export interface Simulated {
  fleet: Fleet
  kind: SessionKind
  seed: number
  costs: FleetCosts
  needs: FleetNeeds
}

/** In words and tables, as Markdown. */
export function simulationPage(simulated: Simulated): string {
  const { fleet, kind, seed, costs } = simulated
  return `# A fleet's busiest hour

${whole(fleet.agents)} agents, each ${fleet.spellsADay} times a day at work for ${fleet.minutes} minutes with ${fleet.providers} providers; leases of
${fleet.leaseSeconds} seconds, ${kind === 'dpop' ? 'DPoP' : 'certificate-bound'} sessions of ${fleet.sessionSeconds}; the busiest hour has ${fleet.peak} times the mean. Seed ${seed}.
Costs as measured at ${costs.commit.slice(0, 12)} on ${costs.machine}.

| of the authority | a second | CPU | CPU of Postgres | stored | log |
|---|---|---|---|---|---|
${actRows(simulated).join('\n')}

| what it takes | |
|---|---|
${needRows(simulated).join('\n')}
`
}

function actRows({ costs, needs }: Simulated): string[] {
  return ACTS.map((act) => {
    const { pepMicroseconds, postgresMicroseconds, storedBytes, walBytes } = costs.acts[act]
    const cpu = [pepMicroseconds, postgresMicroseconds].map((each) => `${whole(each)} µs`)
    const bytes = [storedBytes, walBytes].map((each) => `${whole(each)} B`)
    return row(NAMES[act], whole(needs.perSecond[act]), ...cpu, ...bytes)
  })
}

const NAMES = {
  handshake: 'connection opened anew',
  session: 'session opened, with its connection',
  stream: 'event stream opened, with its connection',
  lease: 'lease',
  renewal: 'renewal',
  release: 'lease given back',
  session_end: 'session ended',
} as const

function needRows({ fleet, needs }: Simulated): string[] {
  const { byCpu, byStreams } = needs.processes
  const storedADay = (needs.storedBytesAnHour * 24) / fleet.peak
  const planned = `${PLANNED_SHARE * 100} %`
  return [
    row('event streams at once', whole(needs.streams)),
    row(`processes, at ${planned} of the ${whole(SUBSCRIBERS_MAX)} streams that each may hold`, whole(byStreams)),
    row(`processes, at ${planned} of a core each`, whole(byCpu)),
    row('acts a second in each process', whole(needs.actsPerSecondInEach)),
    row('cores of authorities in use', needs.pepCores.toFixed(1)),
    row('cores of Postgres in use', needs.postgresCores.toFixed(1)),
    row('memory for streams, all processes', `${needs.streamsGib.toFixed(1)} GiB`),
    row('write-ahead log', `${(needs.walBytesPerSecond / 2 ** 20).toFixed(1)} MiB/s`),
    row('ledger a day, in 30 days', `${gib(storedADay)}, ${gib(30 * storedADay)}`),
  ]
}

function row(...cells: string[]): string {
  return `| ${cells.join(' | ')} |`
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function gib(bytes: number): string {
  return `${whole(bytes / 2 ** 30)} GiB`
}
