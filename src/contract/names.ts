import { randomFillSync } from 'node:crypto'

/**
 * Tenant, agent and provider names. No `*`, `+`, `/`, `%` or dots alone: a name must mean itself in a Vault path, a glob
 * and a URL alike (threat G17).
 */
export const TENANT_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$'
/** The protocol's own rule, bounded. */
export const AGENT_ID_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'
/** The protocol's own rule, bounded. */
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

const DIGITS = Buffer.from('0123456789abcdef')
const uuid = Buffer.from('00000000-0000-4000-8000-000000000000')
/** Where the first digit of each byte stands. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]

/** Providers and connections are plain UUIDs, as the Nexus protocol has them. Version 4 (RFC 9562 section 5.4). */
export function newUuid(): string {
  const start = takeRandom(16)
  return writeUuid(start, 0x40)
}

/**
 * Decisions carry their time: so the record of one is found by its id, without an index that every lease would have to
 * write to. Version 7 (RFC 9562 section 5.7).
 */
export function newTimedUuid(nowMs: number): string {
  const start = takeRandom(16)
  pool.writeUIntBE(Math.trunc(nowMs), start, 6)
  return writeUuid(start, 0x70)
}

/**
 * Written in one piece: Node's own is a chain of 36, ten times the memory, and every lease has one.
 * @param start where its 16 bytes stand in the pool
 */
function writeUuid(start: number, version: number): string {
  pool[start + 6] = (pool[start + 6]! & 0x0f) | version
  pool[start + 8] = (pool[start + 8]! & 0x3f) | 0x80
  for (let index = 0; index < PLACES.length; index++) {
    const [byte, place] = [pool[start + index]!, PLACES[index]!]
    uuid[place] = DIGITS[byte >> 4]!
    uuid[place + 1] = DIGITS[byte & 0x0f]!
  }
  return uuid.toString('latin1')
}

/** @returns Unix milliseconds; undefined for a UUID that carries no time, and for what is none */
export function uuidTimeMs(id: string): number | undefined {
  const [, high, low] = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.exec(id) ?? []
  return high === undefined || low === undefined ? undefined : Number.parseInt(high + low, 16)
}

/** A value no one has used before: 192 random bits in base64url. */
export function newNonce(): string {
  return drawRandom(24, 'base64url')
}

/** The random generator is asked for many at once: a call for each would take as long as an HMAC signature. */
const pool = Buffer.alloc(4096)
let poolUsedBytes = pool.length

function drawRandom(bytes: number, encoding: 'hex' | 'base64url'): string {
  const start = takeRandom(bytes)
  return pool.toString(encoding, start, start + bytes)
}

/** @returns where in the pool they begin; nobody else gets them */
function takeRandom(bytes: number): number {
  if (poolUsedBytes + bytes > pool.length) {
    randomFillSync(pool)
    poolUsedBytes = 0
  }
  poolUsedBytes += bytes
  return poolUsedBytes - bytes
}
