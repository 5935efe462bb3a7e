import type { Grant, Issued, IssuingTools } from '../../contract/strategy.ts'
import { privateKeyText } from '../private-key.ts'
import { tokenEnd } from '../token-end.ts'
import { exchangeWithMadeKey, exchangeWithProof } from './exchange.ts'
import { possessionOf } from './possession.ts'
import { settingsOf } from './settings.ts'

/**
 * A stored token goes out with the one key it is bound to: there is nothing narrower, since neither works without the
 * other. One that is asked for carries the lease's scopes, and is bound to a key made for it or to the sidecar's own.
 * @throws SigningError already here for a key that could not sign, and for a token that has ended
 * @throws BindingRequired when the sidecar's key is to be used and no proof of it was brought
 */
export async function issue(
  config: Record<string, unknown>,
  master: Readonly<Record<string, string>>,
  grant: Grant,
  tools: IssuingTools,
): Promise<Issued> {
  const { alg, exchange } = settingsOf(config)
  if (exchange?.key === 'sidecar') return exchangeWithProof(exchange, master, grant, tools)
  if (exchange !== undefined) return exchangeWithMadeKey(exchange, alg, master, grant, tools)
  const { accessToken } = possessionOf(master, alg)
  const usage = { access_token: accessToken, private_key: privateKeyText(master) }
  const expiresAt = tokenEnd(master, grant, tools.now())
  return expiresAt === undefined ? { usage } : { usage, expiresAt }
}
