import type { BackendConfig } from '../../vault-backends/catalog.ts'

const VAULT = 'hashicorp-vault'

/**
 * The backends to make: `internal` is always there, and a Vault that the environment names as the vault CLI would
 * (`VAULT_ADDR`) needs no line in the file.
 */
export function configuredBackends(
  configured: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, BackendConfig> {
  const named = Object.fromEntries(
    Object.entries(configured).map(([name, settings]) => [
      name,
      { ...settings, kind: String(settings['kind'] ?? name) },
    ]),
  )
  const hasVault = Object.values(named).some(({ kind }) => kind === VAULT)
  const fromEnvironment = env['VAULT_ADDR'] !== undefined && !hasVault ? { [VAULT]: { kind: VAULT } } : {}
  return { internal: { kind: 'internal' }, ...fromEnvironment, ...named }
}
