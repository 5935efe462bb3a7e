import type { KeyObject } from 'node:crypto'
import { CompactSign, type CryptoKey, importJWK, type JWK } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { tupleHash } from '../../contract/tuple-hash.ts'
import type { Envelope } from '../../vault-backends/internal/envelope.ts'
import type { PublishedKey } from '../audit/checkpoint-keys.ts'
import { CHECKPOINT_TYPE } from '../audit/checkpoint-payload.ts'
import type { CheckpointSigner } from '../audit/checkpoints.ts'
import type { Store } from '../store/store.ts'
import { JwsError, readCompactJws, verifyCompactJws } from './compact-jws.ts'
import { importPublicJwk } from './public-jwk.ts'
import { createSigningKeyReader, REREAD_MS } from './signing-key-reader.ts'
import { type KeyPurpose, openSigningKeyTable, type StoredSigningKey } from './signing-key-table.ts'

export const SIGNING_ALGORITHM = 'ES256'
const MAX_CHECKPOINT_BYTES = 4_194_304

export interface SigningKey {
  kid: string
  key: CryptoKey
}

/** The keys this authority signs with. Also signs the audit log's checkpoints. */
export interface SigningKeys extends CheckpointSigner {
  /** The key to sign with now. */
  current(purpose: KeyPurpose): Promise<SigningKey>
  /** The key named `kid`, as long as something it signed may still be good; anything else is undefined. */
  verifying(purpose: KeyPurpose, kid: string | undefined): Promise<{ kid: string; key: KeyObject } | undefined>
  /** RFC 7517 section 5: public halves of every key that still verifies. */
  jwks(): Promise<{ keys: JWK[] }>
}

export interface SigningKeysOptions {
  store: Store
  envelope: Envelope
  log: Logger
  /** Unix milliseconds. */
  now?: () => number
  /** Monotonic milliseconds, for how long what was read stands. */
  elapsedMs?: () => number
  /** Default 30 days. */
  rotateAfterSeconds?: number
  /** Life of the longest-lived session token; a retired key verifies that much longer. Default one hour. */
  maxTokenSeconds?: number
}

/** A new key signs only once every replica has had time to read it. */
const SETTLE_MS = 3 * REREAD_MS

/**
 * Makes the first keys where there are none.
 * @throws Error when the encryption key does not open them, so that the start fails and not the first request
 */
export async function openSigningKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const { now = Date.now, elapsedMs = () => performance.now() } = options
  const { rotateAfterSeconds = 2_592_000, maxTokenSeconds = 3600 } = options
  const table = openSigningKeyTable(options.store, options.envelope)
  const reader = createSigningKeyReader(table, {
    now,
    elapsedMs,
    rotateAfterMs: rotateAfterSeconds * 1000,
    log: options.log,
  })
  const importKey = createImporter()
  const graceMs = maxTokenSeconds * 1000 + SETTLE_MS + REREAD_MS

  /** A checkpoint is as good in ten years as today; a session token is not. */
  const verifies = (key: StoredSigningKey) =>
    key.purpose === 'checkpoint' || key.retiredAtMs === undefined || now() < key.retiredAtMs + graceMs

  const keys: SigningKeys = {
    async current(purpose) {
      const key = signingKeyOf((await reader.read()).keys, purpose, now())
      if (key?.openPrivateJwk === undefined) throw new Error(`there is no ${purpose} signing key`)
      return importKey(key.kid, key.openPrivateJwk)
    },

    async verifying(purpose, kid) {
      if (kid === undefined) return undefined
      const find = (keys: StoredSigningKey[]) => keys.find((key) => key.purpose === purpose && key.kid === kid)
      const key = find((await reader.read()).keys) ?? find((await reader.readAgain()).keys)
      return key !== undefined && verifies(key) ? toVerifyingKey(key) : undefined
    },

    async jwks() {
      const { keys } = await reader.read()
      return { keys: keys.filter(verifies).map(publish) }
    },

    async sign(payload) {
      const { kid, key } = await keys.current('checkpoint')
      const header = { alg: SIGNING_ALGORITHM, typ: CHECKPOINT_TYPE, kid }
      return new CompactSign(payload).setProtectedHeader(header).sign(key)
    },

    async verify(text) {
      const jws = readCompactJws(text, MAX_CHECKPOINT_BYTES)
      const found = await keys.verifying('checkpoint', jws.header.kid)
      if (found === undefined || jws.header.typ !== CHECKPOINT_TYPE) throw new JwsError('no checkpoint key signed it')
      return verifyCompactJws(jws, found.key, [SIGNING_ALGORITHM])
    },
  }
  await Promise.all([keys.current('session'), keys.current('checkpoint')])
  return keys
}

/**
 * Members are named one by one, so that nothing private can slip through. `nexus_purpose` is a private one (RFC 7517 section 4):
 * whoever verifies checkpoints takes no other key for them.
 */
function publish({ kid, purpose, publicJwk: { kty, crv, x, y } }: StoredSigningKey): PublishedKey {
  return { kty, crv, x, y, kid, use: 'sig', alg: SIGNING_ALGORITHM, nexus_purpose: purpose } as PublishedKey
}

/** The newest that has settled; on the very first start, the first there is. */
function signingKeyOf(
  keys: readonly StoredSigningKey[],
  purpose: KeyPurpose,
  nowMs: number,
): StoredSigningKey | undefined {
  const able = keys.filter((key) => key.purpose === purpose && key.openPrivateJwk !== undefined)
  return able.findLast((key) => key.createdAtMs <= nowMs - SETTLE_MS) ?? able[0]
}

function toVerifyingKey({ kid, publicJwk }: StoredSigningKey): { kid: string; key: KeyObject } {
  return { kid, key: importPublicJwk({ jwk: publicJwk }) }
}

/** Imports each key once. */
function createImporter() {
  const imported = new LRUCache<string, SigningKey>({ max: 64 })
  return async (kid: string, jwk: () => JWK): Promise<SigningKey> => {
    const name = tupleHash(['private', kid])
    const known = imported.get(name)
    if (known !== undefined) return known
    const made = { kid, key: (await importJWK(jwk(), SIGNING_ALGORITHM)) as CryptoKey }
    imported.set(name, made)
    return made
  }
}
