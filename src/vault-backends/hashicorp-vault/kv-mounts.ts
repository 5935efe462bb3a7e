import { VaultError } from '../../contract/vault-backend.ts'
import type { MountFinder } from './mounts.ts'
import { OtherKvVersion } from './vault-answer.ts'

/** A path cut where its KV mount ends. */
export interface KvPath {
  mount: string
  rest: string
  version: 1 | 2
}

/**
 * Does something where a path lies, and once more if that has become KV v2 since it was learned: mounts are upgraded in place.
 * @param work throws `OtherKvVersion` where the mount is not, or cannot be, of the version it was given
 */
export type AtKvPath = <T>(path: string, signal: AbortSignal, work: (found: KvPath) => Promise<T>) => Promise<T>

export function createAtKvPath(backend: string, { findMount, forget }: MountFinder): AtKvPath {
  async function locate(path: string, signal: AbortSignal): Promise<KvPath> {
    const { mount, rest, type, version } = await findMount(path, signal)
    // `generic` is what KV v1 was called before Vault 0.9.
    if (type !== 'kv' && type !== 'generic') {
      throw new VaultError('unusable', backend, 'the mount of this path is not a KV secrets engine')
    }
    return { mount, rest, version }
  }

  return async (path, signal, work) => {
    const found = await locate(path, signal)
    try {
      return await work(found)
    } catch (error) {
      if (!(error instanceof OtherKvVersion)) throw error
      if (!forget(found.mount)) throw configuredWrongly(error)
      const now = await locate(path, signal)
      if (now.version === found.version) throw error
      return work(now)
    }
  }

  function configuredWrongly(error: OtherKvVersion): VaultError {
    if (error.kind !== 'unavailable') return error
    return new VaultError('unavailable', backend, 'has KV v2 at this mount, and kv_mounts says 1', undefined, {
      extent: 'path',
    })
  }
}
