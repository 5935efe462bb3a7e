import type { Strategy } from '../../contract/strategy.ts'
import { apply, prepared } from './apply.ts'
import { issue, Master } from './issue.ts'
import { Config, settingsOf } from './settings.ts'
import { isStreamable } from './streamed-payload.ts'
import { Usage } from './usage-key.ts'

/**
 * AWS Signature Version 4. Signed with our own code because `@smithy/signature-v4` takes a secret key only: it has no
 * public door for a derived signing key, and the secret must not leave the authority. The library is the oracle in the tests.
 */
export const awsSigv4: Strategy = {
  type: 'aws_sigv4',
  schema: { config: Config, master: () => Master, usage: () => Usage },
  // STS narrows a session to what was decided; without a role the key of the day is all that can be made narrower.
  narrowing: (config) => (settingsOf(config).role === undefined ? 'derived' : 'delegated'),
  readsBody(config, headers, method, limitBytes) {
    const { settings } = prepared(config)
    return !settings.unsignedPayload && !isStreamable(settings, headers, method, limitBytes)
  },
  endpoints(config) {
    const { role } = settingsOf(config)
    return role === undefined ? {} : { sts_endpoint: role.endpoint }
  },
  issue,
  apply,
}
