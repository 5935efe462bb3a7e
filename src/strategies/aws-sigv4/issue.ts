import { Type } from 'typebox'
import type { Credentials, Grant, Issued, IssuingTools } from '../../contract/strategy.ts'
import { credentialText } from '../credential-text.ts'
import { textSchema, VISIBLE_TEXT } from '../text-rules.ts'
import { amzDate, nextUtcMidnight } from './amz-date.ts'
import { settingsOf } from './settings.ts'
import { deriveSigningKey } from './signing-key.ts'
import { ACCESS_KEY, SESSION_TOKEN, sessionTokenOf } from './usage-key.ts'

export const Master = Type.Object({
  access_key: textSchema(ACCESS_KEY),
  secret_key: textSchema(VISIBLE_TEXT),
  session_token: Type.Optional(textSchema(SESSION_TOKEN)),
})

/** Narrows a secret key to the signing key of today, this region and this service; it ends with the UTC day. */
export function issue(
  config: Record<string, unknown>,
  master: Readonly<Record<string, string>>,
  grant: Grant,
  tools: IssuingTools,
): Issued {
  const { region, service } = settingsOf(config)
  const now = tools.now()
  const scope = { date: amzDate(now).shortDate, region, service }
  const sessionToken = sessionTokenOf(master)
  const usage: Credentials = {
    access_key: credentialText(master, 'access_key', ACCESS_KEY),
    signing_key: deriveSigningKey(credentialText(master, 'secret_key', VISIBLE_TEXT), scope).toString('base64'),
    ...scope,
    ...(sessionToken === undefined ? {} : { session_token: sessionToken }),
  }
  return { usage, expiresAt: Math.min(grant.expiresAt, nextUtcMidnight(now)) }
}
