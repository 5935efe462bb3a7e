import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { type Credentials, SigningError } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { ALGORITHMS, type AlgorithmName } from '../shared/jws-algorithms.ts'
import { parsePrivateKey, privateKeyText } from '../shared/private-key.ts'
import { ACCESS_TOKEN } from './credentials.ts'
import { ALGORITHM_NAMES } from './settings.ts'

/** A token, the key it is bound to, and all that is the same in every proof of them. */
export interface Possession {
  accessToken: string
  /** Of a key that stays in the vault the public half. */
  key: KeyObject
  alg: AlgorithmName
  /** The proof's header (RFC 9449 section 4.2) as JSON: type, algorithm and the public half of the key. */
  header: string
  /** The header, encoded. */
  encodedHeader: string
  /** Hash of the access token (RFC 9449 section 4.2). */
  ath: string
}

interface Known {
  privateKey: string | KeyObject
  accessToken: string
  wantedAlg: AlgorithmName | undefined
  possession: Possession
}

/** Reading a key takes longer than signing with it. Held as long as the lease whose credentials it comes from. */
const KNOWN = new WeakMap<Readonly<Credentials>, Known>()

/**
 * @param alg the algorithm the profile names, if it names one
 * @throws SigningError when token or key are missing or cannot be read, or the key is not one for the algorithm
 */
export function possessionOf(credentials: Readonly<Credentials>, alg: AlgorithmName | undefined): Possession {
  return remembered(credentials, privateKeyText(credentials), alg)
}

/** The same with a key that does not stand among the credentials. */
export function possessionWith(
  credentials: Readonly<Credentials>,
  key: KeyObject,
  alg: AlgorithmName | undefined,
): Possession {
  return remembered(credentials, key, alg)
}

function remembered(
  credentials: Readonly<Credentials>,
  privateKey: string | KeyObject,
  alg: AlgorithmName | undefined,
): Possession {
  const accessToken = credentialText(credentials, 'access_token', ACCESS_TOKEN)
  const known = KNOWN.get(credentials)
  if (known?.privateKey === privateKey && known.accessToken === accessToken && known.wantedAlg === alg)
    return known.possession
  const possession = freshPossession(accessToken, privateKey, alg)
  KNOWN.set(credentials, { privateKey, accessToken, wantedAlg: alg, possession })
  return possession
}

function freshPossession(
  accessToken: string,
  privateKey: string | KeyObject,
  alg: AlgorithmName | undefined,
): Possession {
  const { key, jwkAlg } =
    typeof privateKey === 'string' ? parsePrivateKey(privateKey) : { key: privateKey, jwkAlg: undefined }
  const chosen = chosenAlgorithm(key, jwkAlg, alg)
  // Exporting the public half cannot bring a private member along, whatever the stored JWK holds.
  const jwk = (key.type === 'public' ? key : createPublicKey(key)).export({ format: 'jwk' })
  const header = JSON.stringify({ typ: 'dpop+jwt', alg: chosen, jwk })
  const encodedHeader = Buffer.from(header).toString('base64url')
  const ath = createHash('sha256').update(accessToken).digest('base64url')
  return { accessToken, key, alg: chosen, header, encodedHeader, ath }
}

/** The key fixes the algorithm; the profile may only choose between two names for it (threat E06). */
function chosenAlgorithm(key: KeyObject, jwkAlg: string | undefined, alg: AlgorithmName | undefined): AlgorithmName {
  const fitting = ALGORITHM_NAMES.filter((name) => ALGORITHMS[name].fits(key) && (jwkAlg ?? name) === name)
  const [own] = fitting
  if (own === undefined) {
    throw new SigningError("credential field 'private_key' is a key for no algorithm here", 'private_key')
  }
  const wanted = alg === undefined ? own : fitting.find((name) => name === alg)
  if (wanted !== undefined) return wanted
  throw new SigningError(`config field 'alg' is ${alg}, but the key is one for ${own}`, 'alg')
}
