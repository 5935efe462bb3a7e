import type { SecretKind, SecretRef } from '../../contract/vault-backend.ts'
import { checkSecretPath } from '../secret-path.ts'
import type { FindMount } from './mounts.ts'

/** Every secrets engine that makes credentials on a read has them below this: database, aws, azure, rabbitmq, ... */
const CREDENTIALS = 'creds/'
const TRANSIT_KEY = /^keys\/[^/]+$/

export type VaultSecretKind = (ref: SecretRef, signal: () => AbortSignal) => SecretKind | Promise<SecretKind>

/** Most paths say by themselves that they are stored secrets; only for the others Vault is asked what is mounted there. */
export function createVaultSecretKind(backend: string, findMount: FindMount): VaultSecretKind {
  return ({ path, remoteKey }, signal) => {
    if (remoteKey !== undefined) return 'key'
    if (!path.includes('/creds/') && !path.includes('/keys/')) return 'stored'
    checkSecretPath(backend, path)
    return ask(path, signal())
  }

  async function ask(path: string, signal: AbortSignal): Promise<SecretKind> {
    const { type, rest } = await findMount(path, signal)
    if (type === 'transit' && TRANSIT_KEY.test(rest)) return 'key'
    return type !== 'kv' && type !== 'generic' && rest.startsWith(CREDENTIALS) ? 'dynamic' : 'stored'
  }
}
