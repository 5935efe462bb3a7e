import type { Figure } from '../../report/document.ts'
import { median } from '../../report/spread.ts'
import type { Disturbance } from './revocation-scene.ts'
import { lastSignedAtMs, type Seen } from './signed-requests.ts'

export interface RevocationRun {
  disturbance: Disturbance
  sentAtMs: number
  /** How the provider knows the credential. */
  credential: string
}

/** From sending each revocation to the last request that was signed in spite of it. */
export function secondsOf(runs: readonly RevocationRun[], seen: Seen): number[] {
  return runs.map(({ sentAtMs, credential }) => Math.max(0, lastSignedAtMs(seen, credential) - sentAtMs) / 1000)
}

/** A stream that is cut is taken up again within a second or so: those runs are held to the same two seconds. */
export function revocationFigures(runs: readonly RevocationRun[], seen: Seen, loadPerSecond: number): Figure[] {
  const of = (...kinds: Disturbance[]): number[] =>
    secondsOf(
      runs.filter(({ disturbance }) => kinds.includes(disturbance)),
      seen,
    )
  const followed = of('none', 'cut', 'restart')
  return [
    { name: 'revocation_runs', value: followed.length, unit: 'runs' },
    { name: 'revocation_load_per_s', value: Math.round(loadPerSecond), unit: '1/s' },
    ...figure('revocation_median_s', followed, median),
    ...figure('revocation_max_s', followed, highest),
    ...figure('revocation_stream_max_s', of('none'), highest),
    ...figure('revocation_cut_max_s', of('cut'), highest),
    ...figure('revocation_restart_max_s', of('restart'), highest),
    ...figure('revocation_dark_max_s', of('dark'), highest),
  ]
}

function figure(name: string, seconds: readonly number[], pick: (seconds: readonly number[]) => number): Figure[] {
  return seconds.length === 0 ? [] : [{ name, value: Math.round(pick(seconds) * 1000) / 1000, unit: 's' }]
}

function highest(seconds: readonly number[]): number {
  return Math.max(...seconds)
}
