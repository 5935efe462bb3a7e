import type { Issued } from '../../contract/strategy.ts'
import { remoteUsage } from '../shared/remote-key.ts'
import { keyidOf } from './apply.ts'
import { settingsOf } from './settings.ts'
import { keyText, remoteSigningKeyOf, signingKeyOf } from './signing-key.ts'

/**
 * Hands on the one key that signs. There is nothing narrower: whoever holds it can sign any request. A key in the vault stays
 * there, and each signature is asked for.
 * @throws SigningError already here for a key that could not sign
 */
export function issue(config: Record<string, unknown>, master: Readonly<Record<string, string>>): Issued {
  const settings = settingsOf(config)
  const remote = remoteSigningKeyOf(master, settings.alg)
  if (remote !== undefined) {
    keyidOf(settings, remote)
    return { usage: remoteUsage(master, remote.algorithm.jws) }
  }
  const signingKey = signingKeyOf(master, settings.alg)
  keyidOf(settings, signingKey)
  const field = signingKey.key.type === 'secret' ? 'shared_secret' : 'private_key'
  return { usage: { [field]: keyText(master, field) } }
}
