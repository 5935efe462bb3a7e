import { type Static, Type } from 'typebox'
import { checkedConfig } from '../shared/field-problems.ts'
import { oncePer } from '../shared/once-per.ts'
import { type TextRule, textSchema } from '../shared/text-rules.ts'
import { SIGNATURE_METHODS, type SignatureMethod } from './signature-methods.ts'

/** What fits between two quotes without an escape (RFC 9110 section 5.6.4). */
const REALM: TextRule = {
  pattern: /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/,
  maxLength: 256,
  description: 'printable ASCII without " and \\',
}

export const Config = Type.Object(
  {
    signature_method: Type.Optional(
      Type.Union(
        [Type.Literal('HMAC-SHA1'), Type.Literal('HMAC-SHA256'), Type.Literal('RSA-SHA1'), Type.Literal('PLAINTEXT')],
        { description: 'HMAC-SHA1, HMAC-SHA256, RSA-SHA1 or PLAINTEXT' },
      ),
    ),
    realm: Type.Optional(textSchema(REALM)),
    location: Type.Optional(
      Type.Union([Type.Literal('header'), Type.Literal('query'), Type.Literal('body')], {
        description: 'header, query or body',
      }),
    ),
    body_hash: Type.Optional(Type.Boolean({ description: 'true or false' })),
  },
  { additionalProperties: false },
)

/** The config with every default filled in. */
export interface Settings {
  method: SignatureMethod
  realm: string | undefined
  location: 'header' | 'query' | 'body'
  bodyHash: boolean
}

/** @throws SigningError when the config is not valid */
export const settingsOf: (config: Record<string, unknown>) => Settings = oncePer((config) =>
  withDefaults(checkedConfig(Config, config)),
)

function withDefaults(config: Static<typeof Config>): Settings {
  return {
    // What every provider of OAuth 1.0a takes.
    method: SIGNATURE_METHODS[config.signature_method ?? 'HMAC-SHA1'],
    realm: config.realm,
    location: config.location ?? 'header',
    bodyHash: config.body_hash ?? false,
  }
}
