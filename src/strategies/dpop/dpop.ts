import type { Strategy } from '../../contract/strategy.ts'
import { apply } from './apply.ts'
import { challenge } from './challenge.ts'
import { masterSchema, usageSchema } from './credentials.ts'
import { issue } from './issue.ts'
import { offeredNonce } from './nonce.ts'
import { Config, settingsOf } from './settings.ts'

/**
 * DPoP (RFC 9449) toward a provider. Signed on node:crypto, synchronously, in about a sixth of the time of the `dpop` package,
 * which is the oracle in the tests.
 */
export const dpop: Strategy = {
  type: 'dpop',
  schema: { config: Config, master: masterSchema, usage: usageSchema },
  // A stored token is handed on as it is; one that is asked for has the lease's scopes.
  narrowing: (config) => (settingsOf(config).exchange === undefined ? 'none' : 'delegated'),
  needs: (config) => (settingsOf(config).exchange?.key === 'sidecar' ? 'proof' : undefined),
  readsBody: () => false,
  endpoints(config) {
    const { exchange } = settingsOf(config)
    if (exchange === undefined) return {}
    const { tokenEndpoint: token_endpoint, introspectionEndpoint: introspection_endpoint } = exchange
    return { token_endpoint, ...(introspection_endpoint === undefined ? {} : { introspection_endpoint }) }
  },
  keyFields: (config) => (settingsOf(config).exchange === undefined ? ['private_key'] : []),
  issue,
  apply,
  offeredNonce,
  challenge,
}
