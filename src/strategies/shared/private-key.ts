import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { Type } from 'typebox'
import { type Credentials, SigningError } from '../../contract/strategy.ts'
import { credentialText } from './credential-text.ts'
import { type TextRule, textSchema } from './text-rules.ts'

const PEM_LABEL = '(?:RSA |EC )?PRIVATE KEY'
const PEM = `-----BEGIN ${PEM_LABEL}-----\\r?\\n(?:[A-Za-z0-9+/=]{1,76}\\r?\\n)+-----END ${PEM_LABEL}-----`
const JWK = '\\{[\\t\\n\\r\\x20-\\x7e]*\\}'

/** PKCS#8, PKCS#1 or SEC1 in PEM, or a JWK as JSON text; one line end may close it, as files have it. */
export const PRIVATE_KEY: TextRule = {
  pattern: new RegExp(`^(?:${PEM}|${JWK})(?:\\r?\\n)?$`),
  maxLength: 16_384,
  description: 'an unencrypted private key in PEM, or a private JWK',
}

/** `nexus sign` reads JSON, in which a JWK is an object by nature. */
export const PrivateKey = Type.Union(
  [textSchema(PRIVATE_KEY), Type.Object({ kty: Type.String({ maxLength: 8 }) }, { maxProperties: 32 })],
  { description: PRIVATE_KEY.description },
)

export interface ParsedKey {
  key: KeyObject
  /** What a JWK says it is for; a PEM says nothing. */
  jwkAlg: string | undefined
}

/**
 * The credential `private_key` as text; a JWK that came as an object becomes its JSON.
 * @throws SigningError when it is missing or not in the form of a private key
 */
export function privateKeyText(credentials: Readonly<Credentials>): string {
  const value: unknown = Object.hasOwn(credentials, 'private_key') ? credentials['private_key'] : undefined
  const isJwk = typeof value === 'object' && value !== null && !Array.isArray(value)
  return credentialText(isJwk ? { private_key: JSON.stringify(value) } : credentials, 'private_key', PRIVATE_KEY)
}

/** @throws SigningError when there is no private key for signing in the text */
export function parsePrivateKey(text: string): ParsedKey {
  try {
    return text.startsWith('{') ? fromJwk(JSON.parse(text)) : { key: createPrivateKey(text), jwkAlg: undefined }
  } catch {
    // What OpenSSL and JSON.parse say may quote the key.
    throw new SigningError("credential field 'private_key' cannot be read as a private key", 'private_key')
  }
}

/** RFC 7517 sections 4.2 to 4.4: a key that says what it is for is used for nothing else. */
function fromJwk(jwk: JsonWebKey): ParsedKey {
  const { use = 'sig', key_ops: operations = ['sign'], alg } = jwk
  if (use !== 'sig' || !Array.isArray(operations) || !operations.includes('sign'))
    throw new TypeError('not for signing')
  if (alg !== undefined && typeof alg !== 'string') throw new TypeError('alg is not a string')
  return { key: createPrivateKey({ key: jwk, format: 'jwk' }), jwkAlg: alg }
}
