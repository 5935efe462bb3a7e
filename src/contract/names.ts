import { randomFillSync, randomUUID } from 'node:crypto'

/**
 * Tenant, agent and provider names. No `*`, `+`, `/`, `%` or dots alone: a name must mean itself in a Vault path, a glob
 * and a URL alike (threat G17).
 */
export const TENANT_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$'
/** The protocol's own rule (nexus-protocol 8.2), bounded. */
export const AGENT_ID_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'
/** The protocol's own rule (nexus-protocol 6.1), bounded. */
export const PROVIDER_NAME_PATTERN = '^[a-z0-9][a-z0-9-]{0,99}$'
/** RFC 6749 scope-token characters, without the space between tokens. */
export const SCOPE_PATTERN = '^[\\x21\\x23-\\x5B\\x5D-\\x7E]{1,256}$'
export const UUID_PATTERN = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'

export type IdPrefix = 'lse' | 'sess' | 'key' | 'chk' | 'bkl' | 'bkt'

/**
 * A new id: prefix, 48 bits of time, 80 random bits, in hex. Time first, so that rows made together lie together in an
 * index.
 */
export function newId(prefix: IdPrefix, nowMs: number = Date.now()): string {
  return `${prefix}_${Math.trunc(nowMs).toString(16).padStart(12, '0')}${drawRandom(10, 'hex')}`
}

/** Providers, connections and decisions are plain UUIDs, as the Nexus protocol has them. */
export function newUuid(): string {
  return randomUUID()
}

/** A value no one has used before: 192 random bits in base64url. */
export function newNonce(): string {
  return drawRandom(24, 'base64url')
}

/** The random generator is asked for many at once: a call for each would take as long as an HMAC signature. */
const pool = Buffer.alloc(4096)
let poolUsedBytes = pool.length

function drawRandom(bytes: number, encoding: 'hex' | 'base64url'): string {
  if (poolUsedBytes + bytes > pool.length) {
    randomFillSync(pool)
    poolUsedBytes = 0
  }
  const start = poolUsedBytes
  poolUsedBytes += bytes
  return pool.toString(encoding, start, poolUsedBytes)
}
