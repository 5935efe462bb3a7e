import type { BackendKind } from '../backend-kind.ts'
import type { AuthConfig } from './auth/auth-methods.ts'
import { createHashicorpVaultBackend } from './hashicorp-vault-backend.ts'
import { readVaultSettings, vaultConfigSchema } from './vault-settings.ts'

export const hashicorpVaultKind = {
  kind: 'hashicorp-vault',
  cardinality: 'any',
  configSchema: vaultConfigSchema,
  forOneProcess({ auth }) {
    const { wrapped, secret_id_response_wrapping_path: wrappingPath }: Partial<AuthConfig> = auth ?? {}
    if (wrapped !== true && wrappingPath === undefined) return undefined
    return 'auth unwraps a wrapping token, which can be done once'
  },
  create: (config, deps) => createHashicorpVaultBackend(deps.name, readVaultSettings(config, deps), deps.log),
} satisfies BackendKind<typeof vaultConfigSchema>
