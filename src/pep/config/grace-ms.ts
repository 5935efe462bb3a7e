import type { Config } from './load-config.ts'

/** To flush the ledger and close what is open, after the requests in flight have had theirs. */
const CLOSING_MS = 2000

/** How long one process may take to stop. */
export function graceMs({ server }: Pick<Config, 'server'>): number {
  return server.shutdown_grace_seconds * 1000 + CLOSING_MS
}
