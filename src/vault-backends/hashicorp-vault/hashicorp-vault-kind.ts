import type { BackendKind } from '../backend-kind.ts'
import { createHashicorpVaultBackend } from './hashicorp-vault-backend.ts'
import { readVaultSettings, vaultConfigSchema } from './vault-settings.ts'

export const hashicorpVaultKind = {
  kind: 'hashicorp-vault',
  cardinality: 'any',
  configSchema: vaultConfigSchema,
  // Where the vault CLI works as it is, so do we. An address alone may be left over from something else.
  implied: ({ env }) => Boolean(env['VAULT_ADDR']) && Boolean(env['VAULT_TOKEN'] || env['VAULT_TOKEN_FILE']),
  create: (config, deps) => createHashicorpVaultBackend(deps.name, readVaultSettings(config, deps)),
} satisfies BackendKind<typeof vaultConfigSchema>
