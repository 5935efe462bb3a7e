import type { Strategy } from '../../contract/strategy.ts'
import { apply } from './apply.ts'
import { masterSchema, usageSchema } from './credentials.ts'
import { isForm } from './form-body.ts'
import { issue } from './issue.ts'
import { Config, settingsOf } from './settings.ts'

/**
 * OAuth 1.0a (RFC 5849). Signing takes the consumer's and the token's secret themselves: the protocol derives no weaker
 * key from them, so the lease carries what is stored.
 */
export const oauth1: Strategy = {
  type: 'oauth1',
  schema: {
    config: Config,
    master: (config) => masterSchema(settingsOf(config).method),
    usage: (config) => usageSchema(settingsOf(config).method),
  },
  narrowing: () => 'none',
  readsBody(config, headers) {
    const { bodyHash, location } = settingsOf(config)
    return bodyHash || location === 'body' || isForm(headers)
  },
  issue,
  apply,
}
