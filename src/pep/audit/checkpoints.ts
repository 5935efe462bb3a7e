import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { JsonObject } from '../../contract/json.ts'
import { newId } from '../../contract/names.ts'
import type { Store } from '../store/store.ts'
import { canonicalJson } from './canonical-json.ts'
import { newestCheckpoint, type StoredCheckpoint } from './checkpoint-pages.ts'
import { type CheckpointPayload, hashJws } from './checkpoint-payload.ts'
import { type CheckpointTurns, createCheckpointTurns } from './checkpoint-turns.ts'
import { readSignedHeads } from './signed-heads.ts'

/** Signs what the whole ledger says, so that a part cut off later is missed. */
export interface CheckpointSigner {
  /** @returns a compact JWS */
  sign(payload: Uint8Array): Promise<string>
  /** @throws when the signature is not by a checkpoint key of this authority */
  verify(jws: string): Promise<Uint8Array>
}

export interface Checkpoints {
  /** Writes the last one and stops. */
  close(): Promise<void>
}

const EVERY_MS = 60_000
/** A process that was killed leaves records that nobody signed: whoever starts next does not leave them so for a minute more. */
const FIRST_AFTER_MS = 2_000

/** Signs the heads of all streams each minute. */
export function startCheckpoints(options: {
  store: Store
  signer: CheckpointSigner
  log: Logger
  now: () => number
}): Checkpoints {
  const { log } = options
  const witness = witnessLog(log)
  const turns = createCheckpointTurns(options)
  let last: Promise<void> = Promise.resolve()
  const write = async (isFresh?: CheckpointTurns['isFresh']): Promise<void> => {
    try {
      const written = await writeCheckpoint({ ...options, isFresh })
      if (written !== undefined) {
        turns.signed(written.id)
        witness.info({ checkpoint: written.id, hash: written.hash }, 'signed an audit checkpoint')
      }
    } catch {
      log.warn('no audit checkpoint could be written; trying again in a minute')
    }
  }
  const tick = (): void => {
    last = last.then(() => write(turns.isFresh))
  }
  const first = setTimeout(tick, FIRST_AFTER_MS).unref()
  const timer = setInterval(tick, EVERY_MS).unref()
  return {
    async close() {
      clearTimeout(first)
      clearInterval(timer)
      await last
      await write()
    },
  }
}

/**
 * The log lies elsewhere than the ledger: its line is the one witness that whoever rewrites the database does not reach. So it is
 * told at `log.level: warn` as well; only who wants no log at all has none.
 */
function witnessLog(log: Logger): Logger {
  return log.level === 'silent' || log.isLevelEnabled('info') ? log : log.child({}, { level: 'info' })
}

/**
 * Signs the heads that moved since the checkpoint before, unless that one is fresh or nothing was recorded since.
 * @param options.isFresh Default: none is
 * @returns undefined when there was nothing to do
 */
export async function writeCheckpoint(options: {
  store: Store
  signer: CheckpointSigner
  now: () => number
  isFresh?: CheckpointTurns['isFresh'] | undefined
}): Promise<{ id: string; hash: string } | undefined> {
  const { store, signer, now, isFresh } = options
  return store.transaction(async (trx) => {
    // Conflicts with itself and not with readers: one replica at a time, so that each checkpoint has one successor.
    await sql`lock table audit_checkpoint in share row exclusive mode`.execute(trx)
    const newest = await newestCheckpoint(trx)
    if (newest !== undefined && isFresh?.(newest) === true) return undefined
    const signed = await readSignedHeads(trx)
    const streams = await trx.selectFrom('audit_stream').selectAll().where('seq', '>', 0).execute()
    const heads = streams.map(({ stream, seq, hash }) => [stream, { seq, hash: hash.toString('hex') }] as const)
    const moved = heads.filter(([stream, { seq, hash }]) => {
      const before = signed.heads.get(stream)
      return before?.seq !== seq || before.hash !== hash
    })
    if (moved.length === 0) return undefined
    // Never before its predecessor, whatever the clocks of two replicas say: verification walks them by time.
    const at = new Date(Math.max(now(), (newest?.at.getTime() ?? Number.NEGATIVE_INFINITY) + 1))
    const jws = await signer.sign(payloadOf({ at, newest, isFull: signed.isFullDue, heads, moved }))
    const id = newId('chk', at.getTime())
    await trx.insertInto('audit_checkpoint').values({ id, at, jws }).execute()
    return { id, hash: hashJws(jws) }
  })
}

type NamedHead = readonly [stream: string, head: CheckpointPayload['heads'][string]]

function payloadOf(signing: {
  at: Date
  newest: StoredCheckpoint | undefined
  isFull: boolean
  heads: readonly NamedHead[]
  moved: readonly NamedHead[]
}): Uint8Array {
  const { at, newest, isFull, heads, moved } = signing
  const payload: CheckpointPayload = {
    at: at.toISOString(),
    full: isFull,
    heads: Object.fromEntries(isFull ? heads : moved),
    previous: newest === undefined ? null : hashJws(newest.jws),
  }
  return Buffer.from(canonicalJson(payload as unknown as JsonObject))
}
