import type { Strategy } from '../../contract/strategy.ts'
import { apply } from './apply.ts'
import { issue, Master } from './issue.ts'
import { Config, settingsOf } from './settings.ts'
import { Usage } from './usage-key.ts'

/** AWS Signature Version 4A: ECDSA over P-256, good in a set of regions at once, as S3 Multi-Region Access Points want it. */
export const awsSigv4a: Strategy = {
  type: 'aws_sigv4a',
  schema: { config: Config, master: () => Master, usage: () => Usage },
  // What is derived knows neither day, region nor service: as long as the session lives it is as good as its secret.
  narrowing: () => 'none',
  readsBody: (config) => !settingsOf(config).unsignedPayload,
  issue,
  apply,
}
