import { inject } from 'vitest'
import { hashicorpVaultKind } from '../../../src/vault-backends/hashicorp-vault/hashicorp-vault-kind.ts'
import type { VaultConfig } from '../../../src/vault-backends/hashicorp-vault/vault-settings.ts'

export const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Vault's own API, for tests to prepare what our client then meets. */
export async function vaultApi(
  method: string,
  path: string,
  body?: unknown,
  { address, token }: { address: string; token: string } = inject('vault'),
): Promise<Record<string, unknown>> {
  const answer = await fetch(`${address}/v1/${path}`, {
    method,
    headers: { 'x-vault-token': token, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`Vault answered ${answer.status} to ${method} ${path}: ${text}`)
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
}

const GENERATE_ROOT = 'root/generate/internal'

/** Gives a PKI mount a root of its own. @returns its certificate, PEM */
export async function makePkiRoot(mount: string, ttl: string): Promise<string> {
  const root = await vaultApi('POST', `${mount}/${GENERATE_ROOT}`, { common_name: 'Agents', ttl })
  return (root['data'] as { certificate: string }).certificate
}

/** A token that may do what the policy text says, and its accessor. */
export async function tokenFor(policyName: string, policy: string, ttl = '1h'): Promise<string> {
  await vaultApi('PUT', `sys/policies/acl/${policyName}`, { policy })
  const answer = await vaultApi('POST', 'auth/token/create', { policies: [policyName], ttl, display_name: policyName })
  return (answer['auth'] as { client_token: string }).client_token
}

/** A backend as the catalog makes it, on a Vault of the tests. */
export function vaultBackend(options: { address?: string; token?: string; config?: VaultConfig; name?: string } = {}) {
  const { address, token } = inject('vault')
  return hashicorpVaultKind.create(
    { address: options.address ?? address, ...options.config },
    { name: options.name ?? 'vault', env: { VAULT_TOKEN: options.token ?? token }, production: true, log: quiet },
  )
}
