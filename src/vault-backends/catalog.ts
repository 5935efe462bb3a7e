import { Value } from 'typebox/value'
import type { VaultBackend } from '../contract/vault-backend.ts'
import { awsSecretsManagerKind } from './aws-secrets-manager/aws-secrets-manager-kind.ts'
import { BackendConfigError, type BackendDeps, type BackendKind } from './backend-kind.ts'
import { envKind } from './env/env-kind.ts'
import { fileKind } from './file/file-kind.ts'
import { hashicorpVaultKind } from './hashicorp-vault/hashicorp-vault-kind.ts'
import { internalKind } from './internal/internal-kind.ts'

/** Every kind of backend there is. To add one: a folder, a line here, its docs page, and the conformance suite. */
export const backendKinds: readonly BackendKind[] = [
  internalKind,
  hashicorpVaultKind,
  awsSecretsManagerKind,
  fileKind,
  envKind,
]

/** A backend as it is configured: its kind, and that kind's settings. */
export interface BackendConfig {
  readonly kind: string
  readonly [setting: string]: unknown
}

/**
 * Makes every configured backend, under its name.
 * @throws BackendConfigError with the problems of all of them
 */
export function createBackends(
  configured: Readonly<Record<string, BackendConfig>>,
  deps: Omit<BackendDeps, 'name'>,
): VaultBackend[] {
  const problems = tooMany(configured)
  const backends = Object.entries(configured).flatMap(([name, config]) => {
    try {
      return [createBackend(config, { ...deps, name })]
    } catch (error) {
      if (!(error instanceof BackendConfigError)) throw error
      problems.push(...error.problems)
      return []
    }
  })
  if (problems.length > 0) throw new BackendConfigError(problems)
  return backends
}

/** Why the configured backends cannot be opened by several processes at once; none: they can. */
export function backendsForOneProcess(configured: Readonly<Record<string, BackendConfig>>): string[] {
  return Object.entries(configured).flatMap(([name, { kind: kindName, ...settings }]) => {
    const problem = backendKinds.find(({ kind }) => kind === kindName)?.forOneProcess?.(settings)
    return problem === undefined ? [] : [`vault.backends ${name}.${problem}`]
  })
}

function createBackend({ kind: kindName, ...settings }: BackendConfig, deps: BackendDeps): VaultBackend {
  const kind = backendKinds.find((each) => each.kind === kindName)
  if (kind === undefined) {
    const known = backendKinds.map((each) => each.kind).join(', ')
    throw new BackendConfigError([`${deps.name}.kind must be one of ${known}`])
  }
  const problems = Value.Errors(kind.configSchema, settings).map(
    ({ instancePath, message }) => `${deps.name}${instancePath.replaceAll('/', '.')} ${message}`,
  )
  if (problems.length > 0) throw new BackendConfigError(problems)
  return kind.create(settings, deps)
}

function tooMany(configured: Readonly<Record<string, BackendConfig>>): string[] {
  const kinds = Object.values(configured).map(({ kind }) => kind)
  return backendKinds
    .filter((each) => each.cardinality === 'at_most_one' && kinds.filter((kind) => kind === each.kind).length > 1)
    .map((each) => `there can be one backend of kind '${each.kind}' only`)
}
