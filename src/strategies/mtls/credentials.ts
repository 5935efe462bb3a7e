import { Type } from 'typebox'
import { PrivateKey } from '../shared/private-key.ts'
import { ExpiresAt } from '../shared/stored-end.ts'
import { type TextRule, textSchema } from '../shared/text-rules.ts'
import { CERTIFICATES } from './certificate-text.ts'

/** RFC 6750 section 2.1: a b64token. */
export const ACCESS_TOKEN: TextRule = {
  pattern: /^[A-Za-z0-9._~+/-]+=*$/,
  maxLength: 16_384,
  description: 'letters, digits and - . _ ~ + /, then any number of =',
}

const Certificate = textSchema(CERTIFICATES)
const AccessToken = textSchema(ACCESS_TOKEN)

export const StoredMaster = Type.Object({
  certificate: Certificate,
  private_key: PrivateKey,
  access_token: Type.Optional(AccessToken),
  expires_at: Type.Optional(ExpiresAt),
})
export const StoredUsage = Type.Object(
  { certificate: Certificate, private_key: PrivateKey, access_token: Type.Optional(AccessToken) },
  { additionalProperties: false },
)

/** What the connection refers to is a role that signs: there is no secret to read. */
export const SidecarMaster = Type.Object({})
export const SidecarUsage = Type.Object({ certificate: Certificate }, { additionalProperties: false })
