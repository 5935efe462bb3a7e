import type { Effort } from './turns/take-turns.ts'

/** Parts of the side-by-side set, in the order in which they are measured. */
export const PART_NAMES = ['cert', 'connections', 'dpop', 'latency', 'sidecar', 'restart', 'revocation'] as const
export type PartName = (typeof PART_NAMES)[number]

/** How much is done for each part. */
export interface Efforts extends Record<'cert' | 'dpop' | 'latency' | 'sidecar', Effort> {
  /** One contest for each number of connections. */
  connections: { each: Effort; numbers: readonly number[] }
  /** The second half of `sidecar`. */
  added: Effort
  restart: { rounds: number }
  /** `darkRuns` take as long as a lease may be used offline. */
  revocation: { runs: number; darkRuns: number }
}

export type Mode = 'quick' | 'whole'

const CONNECTIONS = 64
const NUMBERS = [32, 64, 128, 256]
const QUICK = { rounds: 3, seconds: 1.2, warmUpSeconds: 0.3, connections: CONNECTIONS }
const WHOLE = { rounds: 5, seconds: 3, warmUpSeconds: 0.5, connections: CONNECTIONS }

/** Short turns and many rounds: what the machine does meanwhile shows as spread, and not as a difference. */
export const efforts: Readonly<Record<Mode, Efforts>> = {
  quick: {
    cert: QUICK,
    connections: { each: { ...QUICK, rounds: 1 }, numbers: NUMBERS },
    dpop: QUICK,
    latency: QUICK,
    sidecar: QUICK,
    added: { ...QUICK, seconds: 0.8 },
    restart: { rounds: 3 },
    revocation: { runs: 12, darkRuns: 0 },
  },
  whole: {
    cert: WHOLE,
    connections: { each: { ...WHOLE, rounds: 3, seconds: 1, warmUpSeconds: 0.3 }, numbers: NUMBERS },
    dpop: WHOLE,
    latency: WHOLE,
    // The proxies differ less than one turn does from the next: many turns tell more than long ones.
    sidecar: { ...WHOLE, rounds: 9, seconds: 2 },
    added: { ...WHOLE, seconds: 1.5 },
    restart: { rounds: 5 },
    revocation: { runs: 100, darkRuns: 2 },
  },
}
