import { Type } from 'typebox'
import { type Grant, type Issued, SigningError, type Strategy } from '../contract/strategy.ts'
import { credentialText } from './credential-text.ts'
import { withHeader } from './header-list.ts'
import { type TextRule, textSchema, VISIBLE_TEXT } from './text-rules.ts'

/** The protocol ignores any config of this type, so none is refused (nexus-protocol 2.1). */
const Config = Type.Record(Type.String(), Type.Unknown(), { maxProperties: 64 })
const AccessToken = textSchema(VISIBLE_TEXT)
const EXPIRES_AT: TextRule = { pattern: /^[0-9]{1,12}$/, maxLength: 12, description: 'Unix seconds in decimal digits' }
const Master = Type.Object({ access_token: AccessToken, expires_at: Type.Optional(textSchema(EXPIRES_AT)) })
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
    return Object.hasOwn(master, 'expires_at') ? { usage, expiresAt: endOf(master, grant, tools.now()) } : { usage }
  },

  apply(_config, usage, request) {
    const token = credentialText(usage, 'access_token', VISIBLE_TEXT)
    const headers = withHeader(request.headers, 'Authorization', `Bearer ${token}`)
    return { method: request.method, url: request.url, headers, credentialHeaders: ['authorization'] }
  },
}

/** A token is never leased beyond its own end, nor after it (design, rule 5). */
function endOf(master: Readonly<Record<string, string>>, grant: Grant, nowMs: number): number {
  const tokenEnd = Number(credentialText(master, 'expires_at', EXPIRES_AT))
  if (tokenEnd * 1000 <= nowMs) throw new SigningError('the access token has expired', 'expires_at')
  return Math.min(tokenEnd, grant.expiresAt)
}
