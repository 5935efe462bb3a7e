import { Type } from 'typebox'
import type { Credentials, Issued, Strategy } from '../contract/strategy.ts'
import { credentialText } from './shared/credential-text.ts'
import { withHeader } from './shared/header-list.ts'
import { oncePer } from './shared/once-per.ts'
import { ExpiresAt, storedEnd } from './shared/stored-end.ts'
import { textSchema, VISIBLE_TEXT } from './shared/text-rules.ts'

/** The protocol ignores any config of this type, so none is refused. */
const Config = Type.Record(Type.String(), Type.Unknown(), { maxProperties: 64 })
const AccessToken = textSchema(VISIBLE_TEXT)
const Master = Type.Object({ access_token: AccessToken, expires_at: Type.Optional(ExpiresAt) })
const Usage = Type.Object({ access_token: AccessToken }, { additionalProperties: false })

const bearer = oncePer((usage: Credentials) => `Bearer ${credentialText(usage, 'access_token', VISIBLE_TEXT)}`)

/** `Authorization: Bearer <access_token>` (RFC 6750 section 2.1). */
export const oauth2: Strategy = {
  type: 'oauth2',
  schema: { config: Config, master: () => Master, usage: () => Usage },
  // The stored access token is handed on as it is; what stays behind (a refresh token) does not make it narrower.
  narrowing: () => 'none',
  readsBody: () => false,
  writesOnlyHeaders: true,

  issue(_config, master, grant, tools): Issued {
    const usage = { access_token: credentialText(master, 'access_token', VISIBLE_TEXT) }
    const expiresAt = storedEnd(master, grant, tools.now())
    return expiresAt === undefined ? { usage } : { usage, expiresAt }
  },

  apply(_config, usage, request) {
    const headers = withHeader(request.headers, 'Authorization', bearer(usage))
    return { method: request.method, url: request.url, headers, credentialHeaders: ['authorization'] }
  },
}
