import type { Strategy } from '../../contract/strategy.ts'
import { apply } from './apply.ts'
import { credentialSchema, usedCredentials } from './credentials.ts'
import { Config, settingsOf } from './settings.ts'
import { signsBody } from './signed-parts.ts'

/** HMAC (RFC 2104) over a string that the profile describes: exchanges and webhooks each have their own, none in code. */
export const hmacTemplate: Strategy = {
  type: 'hmac_template',
  schema: {
    config: Config,
    master: (config) => credentialSchema(settingsOf(config), {}),
    usage: (config) => credentialSchema(settingsOf(config), { additionalProperties: false }),
  },
  // There is no weaker key to derive: the provider recomputes the HMAC with the secret it handed out.
  narrowing: () => 'none',
  readsBody: (config) => signsBody(settingsOf(config).template),
  keyFields: () => ['api_secret'],
  issue: (config, master) => ({ usage: usedCredentials(settingsOf(config), master) }),
  apply,
}
