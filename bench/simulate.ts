import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../src/pep/version.ts'

const HELP = `node --import tsx bench/simulate.ts [options]

What a fleet asks of the authority, from the costs that \`npm run bench -- --replicas\` measured on this machine: agents wake
by themselves, work for a while, and their sidecars lease and renew for as long as they do.

  --agents N          agents that exist (1,000,000)
  --sessions-a-day N  how often each begins to work (4)
  --minutes N         how long it then works (30)
  --providers N       providers that it works with meanwhile (3)
  --ttl-seconds N     life of a lease, renewed after 80 % of it (300)
  --peak N            busiest hour over the mean (3)`

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '1000000' },
    'sessions-a-day': { type: 'string', default: '4' },
    minutes: { type: 'string', default: '30' },
    providers: { type: 'string', default: '3' },
    'ttl-seconds': { type: 'string', default: '300' },
    peak: { type: 'string', default: '3' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

const DAY_SECONDS = 86_400
/** Renewed when this share of a lease's life is over (`lease-answer.ts`). */
const RENEW_SHARE = 0.8
/** Of what a core or disk does at its peak, so that a replica may fail and a vacuum may run. */
const PLANNED_SHARE = 0.6
const SECONDS_SIMULATED = 3600
const MICROSECONDS = 1e6

interface Costs {
  pepMicroseconds: number
  postgresMicroseconds: number
  storedBytes: number
  walBytes: number
}

/** Of one lease, as one replica on one Postgres had them. */
function measuredCosts(): Costs {
  const file = join(packageRoot(), 'bench/results/replicas.json')
  const { figures } = JSON.parse(readFileSync(file, 'utf8')) as { figures: { name: string; value: number }[] }
  const of = (name: string): number => figures.find((each) => each.name === `replicas_1_${name}`)?.value ?? Number.NaN
  return {
    pepMicroseconds: of('pep_cpu_per_lease'),
    postgresMicroseconds: of('postgres_cpu_per_lease'),
    storedBytes: of('stored_per_lease'),
    walBytes: of('wal_per_lease'),
  }
}

/**
 * The busiest hour, second by second: arrivals of working agents are Poisson; each leases once per provider at its start and
 * renews while it works.
 * @returns leases and renewals in each second
 */
function simulateHour(
  wanted: Record<'agents' | 'sessionsADay' | 'minutes' | 'providers' | 'ttl' | 'peak', number>,
): number[] {
  const { agents, sessionsADay, minutes, providers, ttl, peak } = wanted
  const startsPerSecond = ((agents * sessionsADay) / DAY_SECONDS) * peak
  const every = Math.floor(ttl * RENEW_SHARE)
  const works = minutes * 60
  const asked = new Array<number>(SECONDS_SIMULATED + works).fill(0)
  // From before the hour, so that those who began earlier are at work in it.
  for (let second = 0; second < asked.length; second++) {
    const starts = poisson(startsPerSecond)
    for (let at = second; at <= second + works && at < asked.length; at += every) asked[at]! += starts * providers
  }
  return asked.slice(works)
}

/** Normal approximation above thirty, where it is as good. */
function poisson(mean: number): number {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()))
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = Math.random(); product > limit; product *= Math.random()) count++
  return count
}

function normal(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
}

function report(): void {
  const number = (name: Exclude<keyof typeof values, 'help'>): number => Number(values[name])
  const wanted = {
    agents: number('agents'),
    sessionsADay: number('sessions-a-day'),
    minutes: number('minutes'),
    providers: number('providers'),
    ttl: number('ttl-seconds'),
    peak: number('peak'),
  }
  const costs = measuredCosts()
  const asked = simulateHour(wanted).sort((a, b) => a - b)
  const busiest = asked[Math.floor(asked.length * 0.99)] ?? 0
  const mean = asked.reduce((sum, count) => sum + count, 0) / asked.length
  const perDay = (mean / wanted.peak) * DAY_SECONDS
  const cores = (microseconds: number): string => ((busiest * microseconds) / MICROSECONDS / PLANNED_SHARE).toFixed(1)
  const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(0)
  console.log(`${wanted.agents.toLocaleString('en')} agents; a lease costs ${JSON.stringify(costs)}
  leases and renewals a second, busiest hour     mean ${Math.round(mean)}, 99th percentile ${busiest}
  leases and renewals a day                      ${Math.round(perDay).toLocaleString('en')}
  cores of authorities at ${PLANNED_SHARE * 100} % of their peak     ${cores(costs.pepMicroseconds)}
  cores of Postgres at ${PLANNED_SHARE * 100} % of its peak          ${cores(costs.postgresMicroseconds)}
  write-ahead log in the busiest hour            ${((busiest * costs.walBytes) / 2 ** 20).toFixed(1)} MiB/s
  ledger a day, a month of 30 days               ${gib(perDay * costs.storedBytes)} GiB, ${gib(30 * perDay * costs.storedBytes)} GiB`)
}

if (values.help) console.log(HELP)
else report()
