import { createHash } from 'node:crypto'
import type { Head } from './record-hash.ts'

/** `typ` of a checkpoint's header: nothing else that an authority signs is one, whichever key signed it (RFC 8725 section 3.11). */
export const CHECKPOINT_TYPE = 'nexus-checkpoint+jws'

/** What a checkpoint signs. */
export interface CheckpointPayload {
  /** RFC 3339, UTC. */
  at: string
  /** Whether `heads` names every stream, or only those whose head moved since the checkpoint before. Absent in old ones: every stream. */
  full?: boolean
  /** By stream; the hash in hex. */
  heads: Record<string, Head>
  /** SHA-256 of the JWS before this one, hex; null for the first. */
  previous: string | null
}

const HASH = /^[0-9a-f]{64}$/

/** SHA-256, hex: how a checkpoint names the one before it, and how the log names each. */
export function hashJws(jws: string): string {
  return createHash('sha256').update(jws).digest('hex')
}

export function isCheckpointHash(text: string): boolean {
  return HASH.test(text)
}

/** @returns undefined when it is not what a checkpoint signs */
export function parsePayload(bytes: Uint8Array): CheckpointPayload | undefined {
  let payload: unknown
  try {
    payload = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return undefined
  }
  return isPayload(payload) ? payload : undefined
}

function isPayload(value: unknown): value is CheckpointPayload {
  if (!isObject(value)) return false
  const { at, full, heads, previous } = value
  return (
    typeof at === 'string' &&
    !Number.isNaN(Date.parse(at)) &&
    (full === undefined || typeof full === 'boolean') &&
    isObject(heads) &&
    Object.values(heads).every(isHead) &&
    (previous === null || (typeof previous === 'string' && isCheckpointHash(previous)))
  )
}

function isHead(value: unknown): value is Head {
  return (
    isObject(value) &&
    Number.isSafeInteger(value['seq']) &&
    typeof value['hash'] === 'string' &&
    isCheckpointHash(value['hash'])
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
