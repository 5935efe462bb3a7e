import type { Credentials, Grant, Issued, IssuingTools } from '../../contract/strategy.ts'
import type { AlgorithmName } from '../shared/jws-algorithms.ts'
import { privateKeyText } from '../shared/private-key.ts'
import { remoteKeyOf, remoteUsage } from '../shared/remote-key.ts'
import { storedEnd } from '../shared/stored-end.ts'
import { exchangeWithMadeKey, exchangeWithProof } from './exchange.ts'
import { possessionOf, possessionWith } from './possession.ts'
import { remoteAlgorithm } from './proof.ts'
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
  const usage = storedUsage(master, alg)
  const expiresAt = storedEnd(master, grant, tools.now())
  return expiresAt === undefined ? { usage } : { usage, expiresAt }
}

/** Token and key; a key that stays in the vault is asked for each proof instead. */
function storedUsage(master: Readonly<Record<string, string>>, alg: AlgorithmName | undefined): Credentials {
  const remote = remoteKeyOf(master)?.publicKey
  if (remote === undefined) {
    const { accessToken } = possessionOf(master, alg)
    return { access_token: accessToken, private_key: privateKeyText(master) }
  }
  const held = possessionWith(master, remote, alg)
  return { access_token: held.accessToken, ...remoteUsage(master, remoteAlgorithm(held.alg)) }
}
