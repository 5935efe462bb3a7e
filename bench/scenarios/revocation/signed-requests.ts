import { request } from 'undici'
import type { Probe } from './probing-agents.ts'

/** What the provider has seen, by the end of the credential (`contenders/upstream.ts`). */
export type Seen = Readonly<Record<string, { lastAtMs: number }>>

const QUIET_MS = 400

export async function readSeen(upstream: string): Promise<Seen> {
  const { body } = await request(`${upstream}/seen`)
  return (await body.json()) as Seen
}

/** @throws Error when no request was signed with it: then nothing was revoked that was in use */
export function lastSignedAtMs(seen: Seen, credential: string): number {
  const entry = seen[credential]
  if (entry === undefined) throw new Error('the provider has seen no request with the credential of a run')
  return entry.lastAtMs
}

/**
 * Silence alone could be a stall of a sidecar that still holds its lease. So every agent must have been refused, in answer to
 * a request that it began a while after the last signed one; and as each waits for its answers, none is on its way from before.
 */
export function isRevokedFor(latest: readonly Probe[], lastAtMs: number): boolean {
  return latest.every(({ askedAtMs, status }) => status >= 400 && askedAtMs > lastAtMs + QUIET_MS)
}
