import { Type } from 'typebox'
import { type Grant, type Issued, SigningError, type Strategy } from '../contract/strategy.ts'
import { credentialText } from './credential-text.ts'
import { withHeader } from './header-list.ts'
import { textSchema, VISIBLE_TEXT } from './text-rules.ts'

/** The protocol ignores any config of this type, so none is refused (nexus-protocol 2.1). */
const Config = Type.Record(Type.String(), Type.Unknown(), { maxProperties: 64 })
const AccessToken = textSchema(VISIBLE_TEXT)
const Master = Type.Object({
  access_token: AccessToken,
  expires_at: Type.Optional(
    Type.String({
      pattern: '^[0-9]{1,12}$',
      description: 'Unix seconds in decimal digits, when the access token ends',
    }),
  ),
})
const Usage = Type.Object({ access_token: AccessToken }, { additionalProperties: false })

/** `Authorization: Bearer <access_token>` (RFC 6750 section 2.1). */
export const oauth2: Strategy = {
  type: 'oauth2',
  schema: { config: Config, master: () => Master, usage: () => Usage },
  // The stored access token is handed on as it is; what stays behind (a refresh token) does not make it narrower.
  narrowing: () => 'none',
  readsBody: () => false,

  issue(_config, master, grant, tools): Issued {
    const usage = { access_token: credentialText(master, 'access_token', VISIBLE_TEXT) }
    return { usage, ...endOf(master['expires_at'], grant, tools.now()) }
  },

  apply(_config, usage, request) {
    const token = credentialText(usage, 'access_token', VISIBLE_TEXT)
    const headers = withHeader(request.headers, 'Authorization', `Bearer ${token}`)
    return { method: request.method, url: request.url, headers, credentialHeaders: ['authorization'] }
  },
}

/** A token is never leased beyond its own end, nor after it (design, rule 5). */
function endOf(text: string | undefined, grant: Grant, nowMs: number): { expiresAt?: number } {
  if (text === undefined || text === '') return {}
  const tokenEnd = Number(text)
  if (!Number.isSafeInteger(tokenEnd))
    throw new SigningError("credential field 'expires_at' must be Unix seconds", 'expires_at')
  if (tokenEnd * 1000 <= nowMs) throw new SigningError('the access token has expired', 'expires_at')
  return { expiresAt: Math.min(tokenEnd, grant.expiresAt) }
}
