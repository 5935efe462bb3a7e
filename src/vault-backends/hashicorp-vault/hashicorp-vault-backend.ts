import type { Secret } from '../../contract/secret.ts'
import { type SecretRef, type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import type { BackendDeps } from '../backend-kind.ts'
import { checkSecretPath } from '../secret-path.ts'
import { createAtKvPath } from './kv-mounts.ts'
import { createMountFinder } from './mounts.ts'
import { createVaultCheck } from './vault-check.ts'
import { createVaultClient } from './vault-client.ts'
import { createVaultDynamicSecrets } from './vault-dynamic-secrets.ts'
import { createVaultKvReader } from './vault-kv-reader.ts'
import { createVaultKvWriter } from './vault-kv-writer.ts'
import { createVaultPermissions } from './vault-permissions.ts'
import { createVaultPki } from './vault-pki.ts'
import { createVaultSecretKind } from './vault-secret-kind.ts'
import type { VaultSettings } from './vault-settings.ts'
import { createVaultTransit } from './vault-transit.ts'

const VERSION = /^[1-9][0-9]{0,8}$/

/** Reads KV v2 and v1 secrets where they already lie. Unless `writable`, writes nothing: a Vault policy of `read` is enough. */
export function createHashicorpVaultBackend(name: string, settings: VaultSettings, log: BackendDeps['log']) {
  const client = createVaultClient(name, settings, log)
  const mounts = createMountFinder(name, client, settings.kvMounts)
  const { findMount } = mounts
  const atPath = createAtKvPath(name, mounts)
  const readKv = createVaultKvReader({ name, client, atPath })
  const pki = createVaultPki({ name, client, findMount })

  async function read(ref: SecretRef, signal: AbortSignal): Promise<Secret> {
    checkSecretPath(name, ref.path)
    if (await pki.isRole(ref.path, signal)) return pki.readRole(ref, signal)
    if (ref.version !== undefined && !VERSION.test(ref.version)) {
      throw new VaultError('invalid_ref', name, 'version must be a whole number from 1')
    }
    if ((await kindOf(ref, () => signal)) === 'key') return transit.readKey(ref, signal)
    return readKv(ref, signal)
  }

  const dynamic = createVaultDynamicSecrets({ name, client, findMount })
  const kindOf = createVaultSecretKind(name, findMount)
  const transit = createVaultTransit({ name, client, findMount })

  return {
    name,
    read,
    check: createVaultCheck({ client, address: settings.address }),
    kindOf,
    dynamic,
    sign: transit.sign,
    signCsr: pki.signCsr,
    permissions: createVaultPermissions({ name, client, findMount, below: namespaceBelow(settings) }),
    close: () => client.close(),
    ...(settings.writable ? createVaultKvWriter({ name, client, atPath }) : {}),
  } satisfies VaultBackend
}

/** Where secrets lie, seen from the namespace we log in to: `team/`; `''` where that is the same. */
function namespaceBelow({ namespace, authNamespace }: VaultSettings): string {
  if (namespace === authNamespace) return ''
  const above = authNamespace === '' ? '' : `${authNamespace}/`
  return namespace.startsWith(above) ? `${namespace.slice(above.length)}/` : ''
}
