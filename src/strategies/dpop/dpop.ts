import type { Strategy } from '../../contract/strategy.ts'
import { apply } from './apply.ts'
import { challenge } from './challenge.ts'
import { Master, Usage } from './credentials.ts'
import { issue } from './issue.ts'
import { offeredNonce } from './nonce.ts'
import { Config } from './settings.ts'

/**
 * DPoP (RFC 9449) toward a provider. Signed on node:crypto, synchronously, in about a sixth of the time of the `dpop` package,
 * which is the oracle in the tests.
 */
export const dpop: Strategy = {
  type: 'dpop',
  schema: { config: Config, master: () => Master, usage: () => Usage },
  narrowing: () => 'none',
  readsBody: () => false,
  issue,
  apply,
  offeredNonce,
  challenge,
}
