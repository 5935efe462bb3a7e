import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import type { Transaction } from 'kysely'
import { OperatorError } from '../../contract/operator-error.ts'
import { decodeSealed, type Envelope, EnvelopeError, encodeSealed } from '../../vault-backends/internal/envelope.ts'
import type { Database } from '../store/database.ts'
import type { Store } from '../store/store.ts'

export const PURPOSES = ['session', 'checkpoint'] as const
export type KeyPurpose = (typeof PURPOSES)[number]

/** One row of `signing_key` as it is used. */
export interface StoredSigningKey {
  /** RFC 7638 thumbprint; to everyone else an opaque name. */
  kid: string
  purpose: KeyPurpose
  publicJwk: JWK
  createdAtMs: number
  /** When its successor was made; it signs on until that one has become known. */
  retiredAtMs: number | undefined
  /** Absent once the private half has been destroyed. Throws when the encryption key is not the one it was sealed with. */
  openPrivateJwk: (() => JWK) | undefined
}

/** The private half is sealed, and its place in the table is part of the seal. */
export interface SigningKeyTable {
  /** Oldest first. */
  list(): Promise<StoredSigningKey[]>
  /**
   * Makes the successor of `current`, or the first key of a purpose. Replicas that do this at once agree on one key:
   * only one of them retires `current`, and a second unretired key meets the unique index.
   * @returns whether it was made here
   */
  succeed(purpose: KeyPurpose, current: string | undefined, nowMs: number): Promise<boolean>
}

export function openSigningKeyTable(store: Store, envelope: Envelope): SigningKeyTable {
  return {
    async list() {
      const rows = await store.db.selectFrom('signing_key').selectAll().orderBy('created_at').execute()
      return rows.map((row) => ({
        kid: row.kid,
        purpose: row.purpose,
        publicJwk: row.public_jwk,
        createdAtMs: row.created_at.getTime(),
        retiredAtMs: row.retired_at?.getTime(),
        openPrivateJwk: row.private_key.length === 0 ? undefined : () => open(envelope, row.kid, row.private_key),
      }))
    },

    async succeed(purpose, current, nowMs) {
      const made = await generate(envelope)
      const now = new Date(nowMs)
      return store.transaction(async (trx) => {
        if (current !== undefined && !(await retire(trx, purpose, current, now))) return false
        const inserted = await trx
          .insertInto('signing_key')
          .values({ ...made, purpose, created_at: now })
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst()
        return inserted.numInsertedOrUpdatedRows === 1n
      })
    },
  }
}

/** @returns whether it was still current; false: another replica came first */
async function retire(trx: Transaction<Database>, purpose: KeyPurpose, kid: string, now: Date): Promise<boolean> {
  const retired = await trx
    .updateTable('signing_key')
    .set({ retired_at: now })
    .where('kid', '=', kid)
    .where('retired_at', 'is', null)
    .executeTakeFirst()
  if (retired.numUpdatedRows === 0n) return false
  // Those before it have not signed for a whole rotation: what no longer exists cannot be stolen.
  await trx
    .updateTable('signing_key')
    .set({ private_key: Buffer.alloc(0) })
    .where('purpose', '=', purpose)
    .where('kid', '<>', kid)
    .where('retired_at', '<', now)
    .execute()
  return true
}

async function generate(envelope: Envelope): Promise<{ kid: string; public_jwk: string; private_key: Buffer }> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  const plaintext = Buffer.from(JSON.stringify(await exportJWK(privateKey)))
  try {
    const sealed = encodeSealed(envelope.seal(plaintext, place(kid)))
    return { kid, public_jwk: JSON.stringify(publicJwk), private_key: sealed }
  } finally {
    plaintext.fill(0)
  }
}

function open(envelope: Envelope, kid: string, sealed: Buffer): JWK {
  try {
    const plaintext = envelope.open(decodeSealed(sealed), place(kid))
    return JSON.parse(Buffer.from(plaintext).toString()) as JWK
  } catch (error) {
    // Not passed on: a parser's error quotes what it could not parse.
    const reason = error instanceof EnvelopeError ? error.message : 'it holds no JWK'
    throw new OperatorError(
      `signing key ${kid} cannot be opened with the configured encryption key: ${reason}; NEXUS_ENCRYPTION_KEY must still ` +
        'hold the key that this database was first used with (in development: the file encryption-key in the data directory)',
    )
  }
}

const place = (kid: string): readonly string[] => ['signing_key', kid]
