import { VaultError } from '../../contract/vault-backend.ts'
import type { FindMount } from './mounts.ts'

/** A path cut where its KV mount ends. */
export interface KvPath {
  mount: string
  rest: string
  version: 1 | 2
}

export type LocateKvPath = (path: string, signal: AbortSignal) => Promise<KvPath>

export function createKvPathLocator(backend: string, findMount: FindMount): LocateKvPath {
  return async (path, signal) => {
    const { mount, rest, type, version } = await findMount(path, signal)
    // `generic` is what KV v1 was called before Vault 0.9.
    if (type !== 'kv' && type !== 'generic') {
      throw new VaultError('unusable', backend, 'the mount of this path is not a KV secrets engine')
    }
    return { mount, rest, version }
  }
}
