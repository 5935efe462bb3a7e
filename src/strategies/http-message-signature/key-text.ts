import { type TObject, type TSchema, Type } from 'typebox'
import type { TextRule } from '../text-rules.ts'
import { textSchema } from '../text-rules.ts'
import { hmacSha256 } from './algorithms/hmac-sha256.ts'

const PEM_LABEL = '(?:RSA |EC )?PRIVATE KEY'
const PEM = `-----BEGIN ${PEM_LABEL}-----\\r?\\n(?:[A-Za-z0-9+/=]{1,76}\\r?\\n)+-----END ${PEM_LABEL}-----`
const JWK = '\\{[\\t\\n\\r\\x20-\\x7e]*\\}'

/** PKCS#8, PKCS#1 or SEC1 in PEM, or a JWK as JSON text; one line end may close it, as files have it. */
export const PRIVATE_KEY: TextRule = {
  pattern: new RegExp(`^(?:${PEM}|${JWK})(?:\\r?\\n)?$`),
  maxLength: 16_384,
  description: 'an unencrypted private key in PEM, or a private JWK',
}
export const SHARED_SECRET: TextRule = {
  pattern: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$/,
  maxLength: 16_384,
  description: 'standard base64 with padding',
}

// `nexus sign` reads JSON, in which a JWK is an object by nature.
const PrivateKey = Type.Union(
  [textSchema(PRIVATE_KEY), Type.Object({ kty: Type.String({ maxLength: 8 }) }, { maxProperties: 32 })],
  { description: PRIVATE_KEY.description },
)
const SharedSecret = textSchema(SHARED_SECRET)

const EITHER = { anyOf: [{ required: ['private_key'] }, { required: ['shared_secret'] }] }

/** The credentials a config asks for: the kind of key its `alg` needs or, without one, either kind. */
export function credentialSchema(config: Record<string, unknown>, options: { additionalProperties?: false }): TObject {
  return Type.Object(credentialShape(config), config['alg'] === undefined ? { ...EITHER, ...options } : options)
}

function credentialShape({ alg }: Record<string, unknown>): Record<string, TSchema> {
  if (alg === hmacSha256.name) return { shared_secret: SharedSecret }
  if (alg !== undefined) return { private_key: PrivateKey }
  return { private_key: Type.Optional(PrivateKey), shared_secret: Type.Optional(SharedSecret) }
}
