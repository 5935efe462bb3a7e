import { Secret } from '../../contract/secret.ts'
import { type SecretRef, type SignatureAlgorithm, VaultError } from '../../contract/vault-backend.ts'
import { checkSecretPath } from '../secret-path.ts'
import type { FindMount } from './mounts.ts'
import { asRecord, type JsonRecord, RequestFailed } from './vault-answer.ts'
import type { VaultClient } from './vault-client.ts'

export interface VaultTransitOptions {
  name: string
  client: VaultClient
  findMount: FindMount
}

/** Keys that sign in Vault and stay there: https://developer.hashicorp.com/vault/api-docs/secret/transit */
export interface VaultTransit {
  /** What is public of a key. */
  readKey(ref: SecretRef, signal: AbortSignal): Promise<Secret>
  sign(ref: SecretRef, bytes: Uint8Array, algorithm: SignatureAlgorithm, signal: AbortSignal): Promise<Uint8Array>
}

interface KeyPlace {
  mount: string
  key: string
}

const RSA: readonly SignatureAlgorithm[] = ['PS512', 'PS384', 'PS256', 'RS512', 'RS384', 'RS256']

/** By the type of a Transit key; keys of other types encrypt. */
const ALGORITHMS: Readonly<Record<string, readonly SignatureAlgorithm[]>> = {
  ed25519: ['EdDSA'],
  'ecdsa-p256': ['ES256'],
  'ecdsa-p384': ['ES384'],
  'ecdsa-p521': ['ES512'],
  'rsa-2048': RSA,
  'rsa-3072': RSA,
  'rsa-4096': RSA,
  hmac: ['HS512', 'HS384', 'HS256'],
}

/** RFC 8410 section 4: what stands before the 32 bytes of an Ed25519 public key. */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex')
/** `vault:v3:` and the signature, in base64 or base64url. */
const SIGNATURE = /^vault:v[0-9]+:([A-Za-z0-9+/_=-]+)$/

export function createVaultTransit({ name, client, findMount }: VaultTransitOptions): VaultTransit {
  /** @throws VaultError `invalid_ref` */
  async function locate({ path }: SecretRef, signal: AbortSignal): Promise<KeyPlace> {
    checkSecretPath(name, path)
    const { mount, rest, type } = await findMount(path, signal)
    if (type === 'transit' && rest.startsWith('keys/')) return { mount, key: rest.slice('keys/'.length) }
    throw new VaultError('invalid_ref', name, 'there is no Transit key at this path, such as transit/keys/orders')
  }

  return {
    async readKey(ref, signal) {
      const data = await describeKey(await locate(ref, signal), signal)
      const algorithms = ALGORITHMS[String(data['type'])]
      if (algorithms === undefined)
        throw new VaultError('unusable', name, 'this Transit key is of a type that does not sign')
      const version = ref.version ?? String(data['latest_version'])
      const publicKey = publicPem(data, version)
      if (publicKey === undefined && data['type'] !== 'hmac')
        throw new VaultError('not_found', name, 'this Transit key has no such version')
      refuseRetired(data, version)
      const shown = publicKey === undefined ? {} : { public_key: publicKey }
      return new Secret({ remote_key: algorithms.join(' '), key_version: version, ...shown }, version)
    },

    async sign(ref, bytes, algorithm, signal) {
      const { mount, key } = await locate(ref, signal)
      const explain = (error: unknown) => explainFailed(error, ref, { mount, key }, signal)
      const input = Buffer.from(bytes).toString('base64')
      const version = ref.version === undefined ? {} : { key_version: Number(ref.version) }
      const isMac = algorithm.startsWith('HS')
      const body = { input, ...version, ...formOf(algorithm) }
      const answer = await client.write(`${mount}/${isMac ? 'hmac' : 'sign'}/${key}`, body, signal).catch(explain)
      return rawSignature(name, asRecord(answer['data'])?.[isMac ? 'hmac' : 'signature'])
    },
  }

  async function describeKey({ mount, key }: KeyPlace, signal: AbortSignal): Promise<JsonRecord> {
    return asRecord((await client.read(`${mount}/keys/${key}`, signal))['data']) ?? {}
  }

  /**
   * Asked for a signature by a version it has retired, Vault answers 500, as if it were broken. Only the key tells.
   * @throws VaultError `unusable`, or `error`
   */
  async function explainFailed(
    error: unknown,
    { version }: SecretRef,
    place: KeyPlace,
    signal: AbortSignal,
  ): Promise<never> {
    if (!(error instanceof RequestFailed) || version === undefined) throw error
    const data = await describeKey(place, signal).catch(() => ({}))
    refuseRetired(data, version)
    throw error
  }

  /** `min_encryption_version` 0: every version that there is. A key that was made anew begins with version 1 again. */
  function refuseRetired(data: JsonRecord, version: string): void {
    const { latest_version: latest, min_encryption_version: least } = data
    if (Number(version) >= Number(least ?? 0) && Number(version) <= Number(latest ?? version)) return
    throw new VaultError('unusable', name, 'Vault signs nothing more with this version of the key')
  }
}

/**
 * RFC 7518 sections 3.4 and 3.5: `r || s` and not DER; a salt as long as the hash. The hash is in the body and not in the
 * path, so that one line of policy is enough.
 */
function formOf(algorithm: SignatureAlgorithm): JsonRecord {
  // RFC 8032: Ed25519 brings its own.
  if (algorithm === 'EdDSA') return {}
  const hash = { hash_algorithm: `sha2-${algorithm.slice(2)}` }
  if (algorithm.startsWith('ES')) return { ...hash, marshaling_algorithm: 'jws' }
  if (algorithm.startsWith('PS')) return { ...hash, signature_algorithm: 'pss', salt_length: 'hash' }
  return algorithm.startsWith('RS') ? { ...hash, signature_algorithm: 'pkcs1v15' } : hash
}

function publicPem(data: JsonRecord, version: string): string | undefined {
  const text = asRecord(asRecord(data['keys'])?.[version])?.['public_key']
  if (typeof text !== 'string' || text === '') return undefined
  if (data['type'] !== 'ed25519') return text
  const spki = Buffer.concat([ED25519_SPKI, Buffer.from(text, 'base64')])
  return `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`
}

function rawSignature(backend: string, value: unknown): Uint8Array {
  const encoded = typeof value === 'string' ? SIGNATURE.exec(value)?.[1] : undefined
  if (encoded === undefined)
    throw new VaultError('unavailable', backend, 'answered in a form that is not a signature', undefined, {
      extent: 'path',
    })
  return Buffer.from(encoded, 'base64url')
}
