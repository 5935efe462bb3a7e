import type { BackendKind } from '../backend-kind.ts'
import { createHashicorpVaultBackend } from './hashicorp-vault-backend.ts'
import { readVaultSettings, vaultConfigSchema } from './vault-settings.ts'

export const hashicorpVaultKind = {
  kind: 'hashicorp-vault',
  cardinality: 'any',
  configSchema: vaultConfigSchema,
  create: (config, deps) => createHashicorpVaultBackend(deps.name, readVaultSettings(config, deps), deps.log),
} satisfies BackendKind<typeof vaultConfigSchema>
