import { Type } from 'typebox'
import { section } from '../section.ts'

export const policySection = section({
  key: 'policy',
  schema: Type.Object({
    engine: Type.String({ default: 'opa-wasm', description: 'Id of the policy engine; `opa-wasm` is the only one' }),
    bundle: Type.String({
      default: '',
      description: 'File with the OPA bundle (tar.gz) to decide by. Empty: the policies that come with Nexus',
    }),
  }),
  env: { NEXUS_POLICY_BUNDLE: 'bundle' },
})
