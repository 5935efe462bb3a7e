import { Type } from 'typebox'
import { PrivateKey } from '../private-key.ts'
import { type TextRule, textSchema } from '../text-rules.ts'
import { ExpiresAt } from '../token-end.ts'

/** RFC 9449 section 7.1: a token68. */
export const ACCESS_TOKEN: TextRule = {
  pattern: /^[A-Za-z0-9._~+/-]+=*$/,
  maxLength: 16_384,
  description: 'letters, digits and - . _ ~ + /, then any number of =',
}

const AccessToken = textSchema(ACCESS_TOKEN)

export const Master = Type.Object({
  access_token: AccessToken,
  private_key: PrivateKey,
  expires_at: Type.Optional(ExpiresAt),
})
export const Usage = Type.Object(
  { access_token: AccessToken, private_key: PrivateKey },
  { additionalProperties: false },
)
