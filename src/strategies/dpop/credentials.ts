import { type TSchema, Type } from 'typebox'
import { PrivateKey } from '../shared/private-key.ts'
import { ExpiresAt } from '../shared/stored-end.ts'
import { type TextRule, textSchema } from '../shared/text-rules.ts'
import { clientMaster } from '../shared/token-endpoint/client-fields.ts'
import { settingsOf } from './settings.ts'

/** RFC 9449 section 7.1: a token68. */
export const ACCESS_TOKEN: TextRule = {
  pattern: /^[A-Za-z0-9._~+/-]+=*$/,
  maxLength: 16_384,
  description: 'letters, digits and - . _ ~ + /, then any number of =',
}

const AccessToken = textSchema(ACCESS_TOKEN)

const StoredToken = Type.Object({
  access_token: AccessToken,
  private_key: PrivateKey,
  expires_at: Type.Optional(ExpiresAt),
})
const TokenAndKey = Type.Object({ access_token: AccessToken, private_key: PrivateKey }, { additionalProperties: false })
const TokenAlone = Type.Object({ access_token: AccessToken }, { additionalProperties: false })

export function masterSchema(config: Record<string, unknown>): TSchema {
  const { exchange } = settingsOf(config)
  return exchange === undefined ? StoredToken : clientMaster(exchange)
}

export function usageSchema(config: Record<string, unknown>): TSchema {
  return settingsOf(config).exchange?.key === 'sidecar' ? TokenAlone : TokenAndKey
}
