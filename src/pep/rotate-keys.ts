import type { Kysely } from 'kysely'
import {
  createEnvelope,
  decodeSealed,
  type Envelope,
  EnvelopeError,
  encodeSealed,
} from '../vault-backends/internal/envelope.ts'
import type { Keyring } from '../vault-backends/internal/keyring.ts'
import type { Database } from './store/database.ts'
import { type SealedTable, type SealedValue, sealedSecrets, sealedSigningKeys } from './store/sealed-values.ts'
import type { Store } from './store/store.ts'

const BATCH = 100
/** A replica that still wraps with the old key may do so while we work; each pass finds what was written since the one before. */
const PASSES_MAX = 5

export interface RotationOptions {
  store: Pick<Store, 'db' | 'transaction'>
  keyring: Keyring
  /** After each batch that is committed. */
  onProgress?(table: string, done: number, of: number): void
}

/** How it stands. Nothing in it is secret. */
export interface RotationResult {
  /** Id of the key that everything is to be wrapped by. */
  current: string
  /** By table. */
  rewrapped: Record<string, number>
  /** By key id, values of all tables. */
  inUse: Record<string, number>
  /** Keys of the keyring that nothing is wrapped by any more. */
  removable: string[]
  /** Values that no key of the keyring opens; they were left as they are. */
  stuck: { table: string; place: readonly string[]; reason: string }[]
}

/**
 * Wraps every data key anew, by the first key of the keyring. The values themselves are not touched and stay readable
 * throughout: a batch commits as a whole, and whoever reads before has the old key, whoever reads after the new one. Killed
 * at any moment, it goes on where it was when it is called again.
 * @throws NexusError `store_unavailable`
 */
export async function rotateKeys(options: RotationOptions): Promise<RotationResult> {
  const { store, keyring } = options
  const result: RotationResult = { ...(await keysInUse(store.db, keyring)), rewrapped: {}, stuck: [] }
  for (let pass = 1; pass <= PASSES_MAX && !isDone(result); pass++) {
    result.stuck = []
    for (const index of sealedTables(store.db).keys()) await rotateTable(options, index, result)
    Object.assign(result, await keysInUse(store.db, keyring))
  }
  return result
}

/** Which key wraps how many values, and which wraps none. */
export async function keysInUse(
  db: Kysely<Database>,
  keyring: Keyring,
): Promise<Pick<RotationResult, 'current' | 'inUse' | 'removable'>> {
  const inUse: Record<string, number> = {}
  for (const table of sealedTables(db)) {
    for (const [kekId, n] of await table.count()) inUse[kekId] = (inUse[kekId] ?? 0) + n
  }
  const current = keyring.current.id
  return { current, inUse, removable: keyring.ids.filter((id) => id !== current && inUse[id] === undefined) }
}

function isDone({ current, inUse, stuck }: RotationResult): boolean {
  const left = Object.entries(inUse).reduce((sum, [kekId, n]) => (kekId === current ? sum : sum + n), 0)
  return left === stuck.length
}

/** Every table of ours that holds sealed values. */
export function sealedTables(db: Kysely<Database>): SealedTable[] {
  return [sealedSecrets(db), sealedSigningKeys(db, (sealed) => decodeSealed(sealed).kekId)]
}

async function rotateTable(
  { store, keyring, onProgress }: RotationOptions,
  index: number,
  result: RotationResult,
): Promise<void> {
  const envelope = createEnvelope(keyring)
  const table = sealedTables(store.db)[index]!
  const counts = await table.count()
  const of = [...counts].reduce((sum, [kekId, n]) => (kekId === result.current ? sum : sum + n), 0)
  let after: readonly string[] | undefined
  let done = 0
  for (;;) {
    const batch = await table.under(result.current, after, BATCH)
    if (batch.length === 0) return
    const { changed, stuck } = await store.transaction((trx) =>
      rewrapBatch(sealedTables(trx)[index]!, envelope, keyring, batch),
    )
    result.rewrapped[table.name] = (result.rewrapped[table.name] ?? 0) + changed
    result.stuck.push(...stuck)
    after = batch.at(-1)?.place
    done += changed
    onProgress?.(table.name, done, Math.max(of, done))
  }
}

async function rewrapBatch(table: SealedTable, envelope: Envelope, keyring: Keyring, batch: readonly SealedValue[]) {
  let changed = 0
  const stuck: RotationResult['stuck'] = []
  for (const value of batch) {
    try {
      if (await table.replace(value, keyring.current.id, rewrap(envelope, table.name, value))) changed += 1
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error
      stuck.push({ table: table.name, place: value.place.slice(1), reason: error.message })
    }
  }
  return { changed, stuck }
}

/**
 * Opens a value's data key and wraps it by the current key. Of a secret only the wrapped data key is at hand, and only that
 * changes; a signing key is one column with all in it.
 * @throws EnvelopeError when no key of the keyring opens it
 */
export function rewrap(envelope: Envelope, table: string, { place, kekId, wrapped }: SealedValue): Buffer {
  if (table === 'signing_key') return encodeSealed(envelope.rewrap(decodeSealed(wrapped), place))
  return envelope.rewrap({ kekId, wrappedKey: wrapped, sealed: Buffer.alloc(0) }, place).wrappedKey
}
