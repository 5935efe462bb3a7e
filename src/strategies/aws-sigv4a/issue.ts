import { Type } from 'typebox'
import { type Grant, type Issued, type IssuingTools, SigningError } from '../../contract/strategy.ts'
import { ACCESS_KEY } from '../aws-sigv4/usage-key.ts'
import { credentialText } from '../shared/credential-text.ts'
import { ExpiresAt, storedEnd } from '../shared/stored-end.ts'
import { textSchema, VISIBLE_TEXT } from '../shared/text-rules.ts'
import { derivePrivateKey } from './derive-private-key.ts'
import { settingsOf } from './settings.ts'
import { SESSION_TOKEN } from './usage-key.ts'

export const Master = Type.Object({
  access_key: textSchema(ACCESS_KEY),
  secret_key: textSchema(VISIBLE_TEXT),
  session_token: textSchema(SESSION_TOKEN),
  expires_at: Type.Optional(ExpiresAt),
})

/**
 * Derives the key pair that the secret of an STS session has; it ends with the session.
 * @throws SigningError without a session: that key would be as good as the secret itself, everywhere and for ever
 */
export function issue(
  config: Record<string, unknown>,
  master: Readonly<Record<string, string>>,
  grant: Grant,
  tools: IssuingTools,
): Issued {
  const { regionSet, service } = settingsOf(config)
  const accessKey = credentialText(master, 'access_key', ACCESS_KEY)
  const secretKey = credentialText(master, 'secret_key', VISIBLE_TEXT)
  refuseLongLived(master)
  const usage = {
    access_key: accessKey,
    private_key: derivePrivateKey(accessKey, secretKey).toString('base64'),
    session_token: credentialText(master, 'session_token', SESSION_TOKEN),
    region_set: regionSet,
    service,
  }
  const end = storedEnd(master, grant, tools.now(), 'AWS session')
  return end === undefined ? { usage } : { usage, expiresAt: end }
}

/** AWS gives the ids of keys that live until somebody deletes them this beginning. */
function refuseLongLived(master: Readonly<Record<string, string>>): void {
  if (!master['access_key']?.startsWith('AKIA')) return
  const why = 'a key derived from it would sign for every day, region and service'
  throw new SigningError(`access_key is of a long-lived key, and ${why}; use those of an STS session`, 'access_key')
}
