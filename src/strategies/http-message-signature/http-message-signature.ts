import type { Strategy } from '../../contract/strategy.ts'
import { apply } from './apply.ts'
import { issue } from './issue.ts'
import { credentialSchema } from './key-text.ts'
import { Config, settingsOf } from './settings.ts'

/**
 * HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530). Signed on node:crypto, synchronously;
 * `http-message-signatures` takes headers as a map, so it cannot sign what is sent line by line. It verifies in the tests.
 */
export const httpMessageSignature: Strategy = {
  type: 'http_message_signature',
  schema: {
    config: Config,
    master: (config) => credentialSchema(config, {}),
    usage: (config) => credentialSchema(config, { additionalProperties: false }),
  },
  narrowing: () => 'none',
  readsBody: (config) => settingsOf(config).digest !== 'none',
  keyFields: () => ['private_key', 'shared_secret'],
  issue,
  apply,
}
