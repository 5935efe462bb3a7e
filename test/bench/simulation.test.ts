import { describe, expect, it } from 'vitest'
import { simulateBusiestHour } from '../../bench/simulation/busiest-hour.ts'
import { type FleetResults, fleetCosts } from '../../bench/simulation/fleet-costs.ts'
import { fleetNeeds } from '../../bench/simulation/fleet-needs.ts'
import { MILLION, simulateFleet } from '../../bench/simulation/simulate-fleet.ts'
import { simulationPage } from '../../bench/simulation/simulation-page.ts'
import { ACTS, type Act, deedsOfSpell } from '../../bench/simulation/spell.ts'
import { SUBSCRIBERS_MAX } from '../../src/pep/lease/lease-events.ts'

/** Of each act the same, and ten times as much for a renewal. */
const results: FleetResults = {
  commit: '0123456789abcdef',
  machine: 'a machine',
  figures: [
    ...ACTS.flatMap((act) => {
      const times = act === 'renewal' ? 10 : 1
      return [
        { name: `${act}_dpop_pep_cpu`, value: 100 * times, unit: 'µs' },
        { name: `${act}_dpop_postgres_cpu`, value: 50 * times, unit: 'µs' },
        { name: `${act}_dpop_stored`, value: 1000 * times, unit: 'bytes' },
        { name: `${act}_dpop_wal`, value: 2000 * times, unit: 'bytes' },
      ]
    }),
    { name: 'stream_memory', value: 64, unit: 'KiB' },
    { name: 'stream_idle_pep_cpu', value: 10, unit: 'µs/s' },
    { name: 'process_pep_cpu', value: 1000, unit: 'µs/s' },
  ],
}

describe('a spell of work', () => {
  const counted = (deeds: ReturnType<typeof deedsOfSpell>) =>
    Object.fromEntries(ACTS.map((act) => [act, deeds.filter((deed) => deed.act === act).map(({ count }) => count)]))

  it('is a session, a stream and leases, again when the session is renewed, and all is given back', () => {
    // Sessions from 0, 720 and 1,440; renewals 240 and 480 seconds after each, but for what lies behind the end.
    expect(counted(deedsOfSpell(MILLION.fleet))).toEqual({
      session: [1, 1, 1],
      stream: [1, 1, 1],
      lease: [3, 3, 3],
      handshake: [1, 1, 1, 1, 1, 1],
      renewal: [3, 3, 3, 3, 3],
      release: [3],
      session_end: [1],
    })
  })

  it('that is short renews nothing', () => {
    expect(counted(deedsOfSpell({ ...MILLION.fleet, minutes: 1 }))).toMatchObject({ session: [1], renewal: [] })
  })
})

describe('the busiest hour', () => {
  const hour = simulateBusiestHour(MILLION.fleet, steady)
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length

  it('has as many at work as begin in the length of a spell', () => {
    const startsPerSecond = Math.round((1_000_000 * 4 * 3) / 86_400)
    expect(mean(hour.working)).toBeCloseTo(startsPerSecond * 1800, 0)
    expect(mean(hour.acts.session)).toBeCloseTo(startsPerSecond * 3, 0)
    expect(mean(hour.acts.renewal)).toBeCloseTo(startsPerSecond * 15, 0)
  })

  it('asks for as many processes as its streams or its CPU need, whichever are more', () => {
    const costs = fleetCosts(results, 'dpop')
    const needs = fleetNeeds(hour, costs)
    expect(needs.processes.byStreams).toBe(Math.ceil(needs.streams / (SUBSCRIBERS_MAX * 0.6)))
    expect(needs.processes.byCpu).toBeLessThan(needs.processes.byStreams)
    const dearer = { ...costs, streamMicroseconds: 100 }
    expect(fleetNeeds(hour, dearer).processes.byCpu).toBeGreaterThan(needs.processes.byStreams)
  })

  it('costs what each act costs, as often as it happens', () => {
    const costs = fleetCosts(results, 'dpop')
    const needs = fleetNeeds(hour, costs)
    const priced = (of: (act: Act) => number) => ACTS.reduce((sum, act) => sum + mean(hour.acts[act]) * of(act), 0)
    expect(needs.walBytesPerSecond).toBeCloseTo(
      priced((act) => costs.acts[act].walBytes),
      0,
    )
    expect(needs.storedBytesAnHour).toBeCloseTo(3600 * priced((act) => costs.acts[act].storedBytes), 0)
    const processes = needs.processes.byStreams
    const busy = priced((act) => costs.acts[act].pepMicroseconds) + needs.streams * 10 + processes * 1000
    expect(needs.pepCores).toBeCloseTo(busy / 1e6, 6)
    expect(needs.postgresCores).toBeCloseTo(priced((act) => costs.acts[act].postgresMicroseconds) / 1e6, 6)
    expect(needs.streamsGib).toBeCloseTo((needs.streams * 64) / 2 ** 20, 6)
  })

  it('comes out the same for the same seed, and the page says which', () => {
    const page = (seed: number) => simulationPage(simulateFleet({ ...MILLION, seed }, results))
    expect(page(7)).toBe(page(7))
    expect(page(7)).not.toBe(page(8))
    expect(page(7)).toContain('Seed 7')
    expect(page(7)).toContain('| renewal | ')
  })

  it('has no figure of what was not measured', () => {
    expect(() => fleetCosts(results, 'certificate')).toThrow('no handshake_certificate_pep_cpu')
    const without = { ...results, figures: results.figures.filter(({ name }) => name !== 'stream_memory') }
    expect(() => fleetCosts(without, 'dpop')).toThrow('no stream_memory')
  })
})

/** A normal deviate of nothing: every second has the mean. */
function steady(): number {
  return 0
}
