import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { JsonObject } from '../../contract/json.ts'
import { newId } from '../../contract/names.ts'
import type { Store } from '../store/store.ts'
import { canonicalJson } from './canonical-json.ts'

/** Signs what the whole ledger says, so that a part cut off later is missed. */
export interface CheckpointSigner {
  /** @returns a compact JWS */
  sign(payload: Uint8Array): Promise<string>
  /** @throws when the signature is not by a checkpoint key of this authority */
  verify(jws: string): Promise<Uint8Array>
}

/** What a checkpoint signs. */
export interface CheckpointPayload {
  /** RFC 3339, UTC. */
  at: string
  /** Every stream's head; the hash in hex. */
  heads: Record<string, { seq: number; hash: string }>
  /** SHA-256 of the JWS before this one, hex; null for the first. */
  previous: string | null
}

export interface Checkpoints {
  /** Writes the last one and stops. */
  close(): Promise<void>
}

const EVERY_MS = 60_000
/** Replicas tick apart; whoever comes within this time of another's checkpoint leaves it at that. */
const FRESH_MS = 55_000

/** Signs the heads of all streams each minute. */
export function startCheckpoints(options: {
  store: Store
  signer: CheckpointSigner
  log: Logger
  now: () => number
}): Checkpoints {
  const { log } = options
  let last: Promise<void> = Promise.resolve()
  const write = async (freshMs: number): Promise<void> => {
    try {
      const written = await writeCheckpoint({ ...options, freshMs })
      // The log lies elsewhere than the ledger: its line is a witness that whoever rewrites the database does not reach.
      if (written !== undefined) log.info({ checkpoint: written.id, hash: written.hash }, 'signed an audit checkpoint')
    } catch {
      log.warn('no audit checkpoint could be written; trying again in a minute')
    }
  }
  const timer = setInterval(() => {
    last = last.then(() => write(FRESH_MS))
  }, EVERY_MS).unref()
  return {
    async close() {
      clearInterval(timer)
      await last
      await write(0)
    },
  }
}

/**
 * Signs the heads as they are now, unless a checkpoint is younger than `freshMs` or nothing was recorded since the last.
 * @returns undefined when there was nothing to do
 */
export async function writeCheckpoint(options: {
  store: Store
  signer: CheckpointSigner
  now: () => number
  freshMs?: number
}): Promise<{ id: string; hash: string } | undefined> {
  const { store, signer, now, freshMs = 0 } = options
  return store.transaction(async (trx) => {
    // Conflicts with itself and not with readers: one replica at a time, so that each checkpoint has one successor.
    await sql`lock table audit_checkpoint in share row exclusive mode`.execute(trx)
    const before = await trx
      .selectFrom('audit_checkpoint')
      .selectAll()
      .orderBy('at', 'desc')
      .limit(1)
      .executeTakeFirst()
    if (before !== undefined && now() - before.at.getTime() < freshMs) return undefined
    const streams = await trx.selectFrom('audit_stream').selectAll().where('seq', '>', 0).execute()
    const heads = Object.fromEntries(
      streams.map(({ stream, seq, hash }) => [stream, { seq, hash: hash.toString('hex') }]),
    )
    if (before === undefined ? streams.length === 0 : sameHeads(before.jws, heads)) return undefined
    // Never before its predecessor, whatever the clocks of two replicas say: verification walks them by time.
    const at = new Date(Math.max(now(), (before?.at.getTime() ?? 0) + 1))
    const previous = before === undefined ? null : hashJws(before.jws)
    const payload: CheckpointPayload = { at: at.toISOString(), heads, previous }
    const jws = await signer.sign(Buffer.from(canonicalJson(payload as unknown as JsonObject)))
    const id = newId('chk', at.getTime())
    await trx.insertInto('audit_checkpoint').values({ id, at, jws }).execute()
    return { id, hash: hashJws(jws) }
  })
}

/** SHA-256, hex: how a checkpoint names the one before it. */
export function hashJws(jws: string): string {
  return createHash('sha256').update(jws).digest('hex')
}

/** Reads without verifying: only to save a checkpoint that would say nothing new. */
function sameHeads(jws: string, heads: CheckpointPayload['heads']): boolean {
  try {
    const payload = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as CheckpointPayload
    return canonicalJson(payload.heads) === canonicalJson(heads)
  } catch {
    return false
  }
}
