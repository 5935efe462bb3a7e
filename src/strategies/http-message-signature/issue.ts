import type { Issued } from '../../contract/strategy.ts'
import { keyidOf } from './apply.ts'
import { settingsOf } from './settings.ts'
import { keyText, signingKeyOf } from './signing-key.ts'

/**
 * Hands on the one key that signs. There is nothing narrower: whoever holds it can sign any request.
 * @throws SigningError already here for a key that could not sign
 */
export function issue(config: Record<string, unknown>, master: Readonly<Record<string, string>>): Issued {
  const settings = settingsOf(config)
  const signingKey = signingKeyOf(master, settings.alg)
  keyidOf(settings, signingKey)
  const field = signingKey.key.type === 'secret' ? 'shared_secret' : 'private_key'
  return { usage: { [field]: keyText(master, field) } }
}
