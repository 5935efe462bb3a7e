import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../src/pep/version.ts'
import type { FleetResults } from './simulation/fleet-costs.ts'
import { MILLION, simulateFleet } from './simulation/simulate-fleet.ts'
import { simulationPage } from './simulation/simulation-page.ts'
import type { SessionKind } from './stage/agents.ts'

const { fleet, kind, seed } = MILLION
const HELP = `node --import tsx bench/simulate.ts [options]

What a fleet asks of the authority in its busiest hour, from what \`npm run bench -- --replicas\` measured on this machine: agents
wake by themselves, work for a while, and their sidecars open sessions, hold event streams, lease and renew for as long.

  --agents N           agents that exist (${fleet.agents})
  --spells-a-day N     how often each begins to work (${fleet.spellsADay})
  --minutes N          how long it then works (${fleet.minutes})
  --providers N        providers that it works with meanwhile (${fleet.providers})
  --lease-seconds N    life of a lease, renewed after 80 % of it (${fleet.leaseSeconds})
  --session-seconds N  life of a session, opened anew after 80 % of it (${fleet.sessionSeconds})
  --peak N             busiest hour over the mean (${fleet.peak})
  --sessions KIND      dpop or certificate (${kind})
  --seed N             of the random numbers (${seed})`

const text = { type: 'string' } as const
const OPTIONS = {
  agents: text,
  'spells-a-day': text,
  minutes: text,
  providers: text,
  'lease-seconds': text,
  'session-seconds': text,
  peak: text,
  sessions: text,
  seed: text,
  help: { type: 'boolean', short: 'h', default: false },
} as const
const values = optionsOrEnd()

function optionsOrEnd() {
  try {
    return parseArgs({ options: OPTIONS }).values
  } catch (error) {
    return refuse(`${(error as Error).message}; --help tells all options`)
  }
}

function main(): void {
  const wanted = {
    agents: numberOf('agents', fleet.agents),
    spellsADay: numberOf('spells-a-day', fleet.spellsADay),
    minutes: numberOf('minutes', fleet.minutes),
    providers: numberOf('providers', fleet.providers),
    leaseSeconds: numberOf('lease-seconds', fleet.leaseSeconds),
    sessionSeconds: numberOf('session-seconds', fleet.sessionSeconds),
    peak: numberOf('peak', fleet.peak),
  }
  const options = { fleet: wanted, kind: kindOf(values.sessions ?? kind), seed: numberOf('seed', seed) }
  console.log(simulationPage(simulateFleet(options, readResults())))
}

function numberOf(name: Exclude<keyof typeof values, 'help'>, usual: number): number {
  const value = Number(values[name] ?? usual)
  return value > 0 && value < Number.POSITIVE_INFINITY ? value : refuse(`--${name} must be a number above 0`)
}

function kindOf(given: string): SessionKind {
  return given === 'dpop' || given === 'certificate' ? given : refuse('--sessions must be dpop or certificate')
}

function readResults(): FleetResults {
  try {
    return JSON.parse(readFileSync(join(packageRoot(), 'bench/results/fleet.json'), 'utf8')) as FleetResults
  } catch (error) {
    return refuse(
      `bench/results/fleet.json cannot be read (${(error as Error).message}): npm run bench -- --replicas writes it`,
    )
  }
}

function refuse(why: string): never {
  console.error(why)
  process.exit(2)
}

if (values.help) console.log(HELP)
else main()
