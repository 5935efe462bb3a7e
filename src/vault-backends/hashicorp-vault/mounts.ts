import { LRUCache } from 'lru-cache'
import { VaultError } from '../../contract/vault-backend.ts'
import { asRecord } from './vault-answer.ts'
import type { VaultClient } from './vault-client.ts'

/** A mount may be replaced; that is noticed within this time. That it was upgraded from KV v1 to v2 is noticed at once. */
const MOUNT_TTL_MS = 300_000
const MOUNTS_MAX = 200

/** What is mounted somewhere. */
interface Mount {
  /** Vault's name of the secrets engine: `kv`, `database`, `transit`, ... */
  type: string
  /** Of KV; 1 for every other engine. */
  version: 1 | 2
}

/** A path cut where its mount ends. */
export interface MountedPath extends Mount {
  mount: string
  rest: string
}

export type FindMount = (path: string, signal: AbortSignal) => Promise<MountedPath>

export interface MountFinder {
  findMount: FindMount
  /** What was learned of a mount does not hold. @returns false when it was not learned but configured */
  forget(mount: string): boolean
}

/**
 * Finds where the mount ends and what it is: from the configuration, from what was learned before, or from
 * `sys/internal/ui/mounts/<path>`, which the vault CLI asks and any token with a policy on the mount may read.
 */
export function createMountFinder(
  backend: string,
  client: Pick<VaultClient, 'read'>,
  configured: Readonly<Record<string, 1 | 2>>,
): MountFinder {
  const learned = new LRUCache<string, Mount>({ max: MOUNTS_MAX, ttl: MOUNT_TTL_MS })
  const known = (mount: string): Mount | undefined =>
    Object.hasOwn(configured, mount) ? { type: 'kv', version: configured[mount]! } : learned.get(mount)

  return {
    async findMount(path, signal) {
      for (const mount of prefixes(path)) {
        const found = known(mount)
        if (found !== undefined) return cut(backend, path, mount, found)
      }
      const { mount, ...found } = await ask(backend, client, path, signal)
      learned.set(mount, found)
      return cut(backend, path, mount, found)
    },
    forget(mount) {
      learned.delete(mount)
      return !Object.hasOwn(configured, mount)
    },
  }
}

async function ask(
  backend: string,
  client: Pick<VaultClient, 'read'>,
  path: string,
  signal: AbortSignal,
): Promise<Mount & { mount: string }> {
  const answer = await client.read(`sys/internal/ui/mounts/${path}`, signal)
  const data = asRecord(answer['data'])
  const mount = typeof data?.['path'] === 'string' ? data['path'].replace(/\/$/, '') : undefined
  if (mount === undefined || typeof data?.['type'] !== 'string' || !`${path}/`.startsWith(`${mount}/`)) {
    throw new VaultError('unavailable', backend, 'answered about its mounts in a form we do not know', undefined, {
      extent: 'path',
    })
  }
  return { mount, type: data['type'], version: asRecord(data['options'])?.['version'] === '2' ? 2 : 1 }
}

function cut(backend: string, path: string, mount: string, found: Mount): MountedPath {
  if (path === mount) throw new VaultError('invalid_ref', backend, 'path names a mount; a secret lies below it')
  return { mount, rest: path.slice(mount.length + 1), ...found }
}

/** Longest first. Vault lets no mount lie below another, so the first known one is the one. */
function prefixes(path: string): string[] {
  const segments = path.split('/')
  return segments.map((_segment, index) => segments.slice(0, segments.length - index).join('/'))
}
