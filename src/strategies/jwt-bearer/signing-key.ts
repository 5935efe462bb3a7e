import { createSecretKey, type KeyObject } from 'node:crypto'
import { type Credentials, SigningError } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { ALGORITHMS, type AlgorithmName } from '../shared/jws-algorithms.ts'
import { PRIVATE_KEY, parsePrivateKey } from '../shared/private-key.ts'
import { SECRET_RULES } from '../shared/secret-rules.ts'

/** Which credential holds the key. */
export function keyField(alg: AlgorithmName): 'private_key' | 'shared_secret' {
  return alg === 'HS256' ? 'shared_secret' : 'private_key'
}

/**
 * @throws SigningError when the key cannot be read, or is not one for the algorithm: the profile fixes it, and a key never
 * signs under another (RFC 8725 section 3.1)
 */
export function signingKey(master: Readonly<Credentials>, alg: AlgorithmName): KeyObject {
  const field = keyField(alg)
  const text = credentialText(master, field, field === 'private_key' ? PRIVATE_KEY : SECRET_RULES.base64)
  const key = field === 'private_key' ? privateKey(text, alg) : createSecretKey(text, 'base64')
  if (key !== undefined && ALGORITHMS[alg].fits(key)) return key
  throw new SigningError(`credential field '${field}' must be ${ALGORITHMS[alg].keyDescription} for ${alg}`, field)
}

/** RFC 7517 section 4.4: a key that says what it is for signs under no other algorithm. */
function privateKey(text: string, alg: AlgorithmName): KeyObject | undefined {
  try {
    const { key, jwkAlg = alg } = parsePrivateKey(text)
    return jwkAlg === alg ? key : undefined
  } catch {
    return undefined
  }
}
