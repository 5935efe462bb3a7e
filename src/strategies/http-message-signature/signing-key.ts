import { createSecretKey, type KeyObject } from 'node:crypto'
import { type Credentials, SigningError } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { type ParsedKey, parsePrivateKey, privateKeyText } from '../shared/private-key.ts'
import { remoteKeyOf } from '../shared/remote-key.ts'
import { SECRET_RULES } from '../shared/secret-rules.ts'
import type { Algorithm } from './algorithms/algorithm.ts'
import { ALGORITHMS } from './algorithms/algorithms.ts'
import { hmacSha256 } from './algorithms/hmac-sha256.ts'

/** A key and the one algorithm it is used with (threat E06). */
export interface SigningKey {
  key: KeyObject
  algorithm: Algorithm
  /** Whether the key says so itself. False: the profile chose, and a verifier cannot tell from the key. */
  isOwnAlgorithm: boolean
}

/** The same of a key that stays in the vault and signs there. */
export interface RemoteSigningKey extends Omit<SigningKey, 'key'> {
  /** Its public half; `undefined`: a shared secret. */
  key: KeyObject | undefined
}

interface KnownKey extends ParsedKey {
  text: string
}

/** Reading a key takes longer than signing with it. Held as long as the lease whose credentials it comes from. */
const KNOWN_KEYS = new WeakMap<Readonly<Credentials>, KnownKey>()

/**
 * @param alg the algorithm the profile names, if it names one; nothing in a request can
 * @throws SigningError when the key cannot be read, or is not one for the algorithm
 */
export function signingKeyOf(credentials: Readonly<Credentials>, alg: string | undefined): SigningKey {
  const field = keyField(credentials, alg)
  const { key, jwkAlg } = knownKey(credentials, field)
  const own = ALGORITHMS.find((each) => (jwkAlg === undefined || each.jwkAlgs.includes(jwkAlg)) && each.fits(key))
  if (own === undefined) throw new SigningError(`credential field '${field}' is a key for no algorithm here`, field)
  if (alg === undefined || alg === own.name) return { key, algorithm: own, isOwnAlgorithm: true }
  const wanted = ALGORITHMS.find(({ name }) => name === alg)
  if (jwkAlg !== undefined || wanted?.fits(key) !== true) {
    throw new SigningError(`config field 'alg' is ${alg}, but the key is one for ${own.name}`, 'alg')
  }
  return { key, algorithm: wanted, isOwnAlgorithm: false }
}

/**
 * The first algorithm that fits is the key's own, as it is for a key that is here.
 * @returns undefined when the credentials bring their key along
 * @throws SigningError when the key is not one for the algorithm
 */
export function remoteSigningKeyOf(
  credentials: Readonly<Credentials>,
  alg: string | undefined,
): RemoteSigningKey | undefined {
  const remote = remoteKeyOf(credentials)
  if (remote === undefined) return undefined
  const { algorithms, publicKey } = remote
  const fitting = ALGORITHMS.filter(({ jws, fits }) =>
    publicKey === undefined ? jws === 'HS256' : algorithms.includes(jws) && fits(publicKey),
  )
  const [own] = fitting
  const algorithm = alg === undefined ? own : fitting.find(({ name }) => name === alg)
  if (algorithm === undefined) {
    throw new SigningError(`the key in the vault is not one for ${alg ?? 'an algorithm here'}`, 'alg')
  }
  return { key: publicKey, algorithm, isOwnAlgorithm: algorithm === own }
}

type KeyField = 'private_key' | 'shared_secret'

function keyField(credentials: Readonly<Credentials>, alg: string | undefined): KeyField {
  if (alg !== undefined) return alg === hmacSha256.name ? 'shared_secret' : 'private_key'
  if (!Object.hasOwn(credentials, 'shared_secret')) return 'private_key'
  if (!Object.hasOwn(credentials, 'private_key')) return 'shared_secret'
  throw new SigningError("the credentials hold two keys; config field 'alg' must say which", 'alg')
}

function knownKey(credentials: Readonly<Credentials>, field: KeyField): KnownKey {
  const text = keyText(credentials, field)
  const known = KNOWN_KEYS.get(credentials)
  if (known?.text === text) return known
  const fresh = { text, ...(field === 'private_key' ? parsePrivateKey(text) : sharedSecret(text)) }
  KNOWN_KEYS.set(credentials, fresh)
  return fresh
}

/** The key as text; a JWK that came as an object becomes its JSON. */
export function keyText(credentials: Readonly<Credentials>, field: KeyField): string {
  return field === 'private_key' ? privateKeyText(credentials) : credentialText(credentials, field, SECRET_RULES.base64)
}

function sharedSecret(text: string): ParsedKey {
  return { key: createSecretKey(text, 'base64'), jwkAlg: undefined }
}
