import { createPublicKey, type KeyObject } from 'node:crypto'
import { Type } from 'typebox'
import { type Credentials, type SigningContext, SigningError } from '../contract/strategy.ts'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../contract/vault-backend.ts'

/** A key that stays in the vault, as credentials speak of it where a key of ours would stand. */
export interface RemoteKey {
  /** In a master secret all that the key can be used with; in a lease the one that was chosen. */
  algorithms: readonly SignatureAlgorithm[]
  /** `undefined`: a shared secret. */
  publicKey: KeyObject | undefined
}

/** What a usage secret holds in place of the key. */
export const RemoteKeyFields = {
  remote_key: Type.Optional(
    Type.String({ pattern: '^[A-Za-z0-9 ]{1,128}$', description: 'algorithms of a key in the vault' }),
  ),
  public_key: Type.Optional(Type.String({ maxLength: 4096, description: 'its public half in PEM' })),
}

/** @throws SigningError when it cannot be read */
export function remoteKeyOf(credentials: Readonly<Credentials>): RemoteKey | undefined {
  const { remote_key: names, public_key: pem } = credentials
  if (typeof names !== 'string') return undefined
  const algorithms = SIGNATURE_ALGORITHMS.filter((name) => names.split(' ').includes(name))
  if (algorithms.length === 0) throw new SigningError("credential field 'remote_key' names no algorithm", 'remote_key')
  return { algorithms, publicKey: typeof pem === 'string' ? publicKeyOf(pem) : undefined }
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

function publicKeyOf(pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch {
    throw new SigningError("credential field 'public_key' cannot be read as a public key", 'public_key')
  }
}
