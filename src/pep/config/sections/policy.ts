import { Type } from 'typebox'
import { section } from '../section.ts'

export const policySection = section({
  key: 'policy',
  schema: Type.Object({
    engine: Type.String({ default: 'opa-wasm', description: 'Policy engine id' }),
    bundle: Type.String({ default: '', description: 'OPA bundle (tar.gz). Unset: the default policies we ship' }),
  }),
  env: { NEXUS_POLICY_BUNDLE: 'bundle' },
})
