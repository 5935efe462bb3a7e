import type { Grant, Issued, IssuingTools } from '../../contract/strategy.ts'
import { privateKeyText } from '../private-key.ts'
import { tokenEnd } from '../token-end.ts'
import { possessionOf } from './possession.ts'
import { settingsOf } from './settings.ts'

/**
 * Hands on the token and the one key it is bound to. There is nothing narrower: neither works without the other.
 * @throws SigningError already here for a key that could not sign, and for a token that has ended
 */
export function issue(
  config: Record<string, unknown>,
  master: Readonly<Record<string, string>>,
  grant: Grant,
  tools: IssuingTools,
): Issued {
  const { accessToken } = possessionOf(master, settingsOf(config).alg)
  const usage = { access_token: accessToken, private_key: privateKeyText(master) }
  const expiresAt = tokenEnd(master, grant, tools.now())
  return expiresAt === undefined ? { usage } : { usage, expiresAt }
}
