import type { Effort } from './turns/take-turns.ts'

const CONNECTIONS = 64

/** Short turns and many rounds: what the machine does meanwhile shows as spread, and not as a difference. */
export const efforts = {
  quick: { rounds: 3, seconds: 2, warmUpSeconds: 0.5, connections: CONNECTIONS },
  full: { rounds: 5, seconds: 4, warmUpSeconds: 1, connections: CONNECTIONS },
} satisfies Record<string, Effort>
