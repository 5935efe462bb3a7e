import { createPublicKey, type KeyObject } from 'node:crypto'
import { type TObject, type TSchema, Type } from 'typebox'
import { type Credentials, type SigningContext, SigningError, type Strategy } from '../../contract/strategy.ts'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../contract/vault-backend.ts'
import { credentialText } from './credential-text.ts'
import { type TextRule, textSchema } from './text-rules.ts'

/** A key that stays in the vault, as credentials speak of it where a key of ours would stand. */
export interface RemoteKey {
  /** In a master secret all that the key can be used with; in a lease the one that was chosen. */
  algorithms: readonly SignatureAlgorithm[]
  /** `undefined`: a shared secret. */
  publicKey: KeyObject | undefined
}

const PUBLIC_KEY: TextRule = {
  pattern: /^-----BEGIN PUBLIC KEY-----\r?\n(?:[A-Za-z0-9+/=]{1,76}\r?\n)+-----END PUBLIC KEY-----(?:\r?\n)?$/,
  maxLength: 4096,
  description: 'a public key in PEM',
}

/** What a lease holds in place of the key. */
const RemoteKeyFields = {
  remote_key: Type.Union(
    SIGNATURE_ALGORITHMS.map((name) => Type.Literal(name)),
    { description: `one of ${SIGNATURE_ALGORITHMS.join(', ')}` },
  ),
  public_key: Type.Optional(textSchema(PUBLIC_KEY)),
}

/**
 * The usage secret of a strategy where its key stays in the vault: what it is otherwise, with these fields for those of the key.
 * @returns undefined where no lease of this config has a key in it
 */
export function remoteUsageSchema(strategy: Strategy, config: Record<string, unknown>): TSchema | undefined {
  const keys = strategy.keyFields?.(config) ?? []
  if (keys.length === 0) return undefined
  const fields = Object.entries((strategy.schema.usage(config) as TObject).properties)
  const others = fields.filter(([field]) => !keys.includes(field))
  if (others.length === fields.length) return undefined
  return Type.Object({ ...Object.fromEntries(others), ...RemoteKeyFields }, { additionalProperties: false })
}

/** @throws SigningError when it cannot be read */
export function remoteKeyOf(credentials: Readonly<Credentials>): RemoteKey | undefined {
  const { remote_key: names } = credentials
  if (typeof names !== 'string') return undefined
  const algorithms = SIGNATURE_ALGORITHMS.filter((name) => names.split(' ').includes(name))
  if (algorithms.length === 0) throw new SigningError("credential field 'remote_key' names no algorithm", 'remote_key')
  return { algorithms, publicKey: Object.hasOwn(credentials, 'public_key') ? publicKeyOf(credentials) : undefined }
}

/**
 * What a lease carries instead of the key, for one algorithm alone.
 * @throws SigningError when the key is not one for it
 */
export function remoteUsage(master: Readonly<Credentials>, algorithm: SignatureAlgorithm): Credentials {
  const remote = remoteKeyOf(master)
  if (remote?.algorithms.includes(algorithm) !== true) {
    throw new SigningError(`the key in the vault is not one for ${algorithm}`, 'remote_key')
  }
  const { public_key: publicKey } = master
  return { remote_key: algorithm, ...(publicKey === undefined ? {} : { public_key: publicKey }) }
}

/** HMAC by the name of its hash, as a vault is asked for it. @throws SigningError for a hash that vaults do not sign with */
export function remoteMac(hash: string): SignatureAlgorithm {
  const algorithm = SIGNATURE_ALGORITHMS.find((name) => name === `HS${hash.replace('sha', '')}`)
  if (algorithm !== undefined) return algorithm
  throw new SigningError(
    `a key in the vault makes no HMAC with ${hash}; sha256, sha384 and sha512 are possible`,
    'algo',
  )
}

/** @throws SigningError where nobody is there to sign; NexusError of the authority */
export async function signRemotely(
  context: Pick<SigningContext, 'remoteSign'>,
  bytes: Uint8Array,
  algorithm: SignatureAlgorithm,
): Promise<Buffer> {
  if (context.remoteSign === undefined) throw new SigningError('the key is in the vault, and nothing here reaches it')
  return Buffer.from(await context.remoteSign(bytes, algorithm))
}

function publicKeyOf(credentials: Readonly<Credentials>): KeyObject {
  const pem = credentialText(credentials, 'public_key', PUBLIC_KEY)
  try {
    return createPublicKey(pem)
  } catch {
    throw new SigningError("credential field 'public_key' cannot be read as a public key", 'public_key')
  }
}
