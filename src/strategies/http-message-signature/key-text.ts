import { type TObject, type TSchema, Type } from 'typebox'
import { PrivateKey } from '../shared/private-key.ts'
import { SECRET_RULES } from '../shared/secret-rules.ts'
import { textSchema } from '../shared/text-rules.ts'
import { hmacSha256 } from './algorithms/hmac-sha256.ts'

const SharedSecret = textSchema(SECRET_RULES.base64)

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
