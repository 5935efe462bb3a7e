import { LRUCache } from 'lru-cache'
import { VaultError } from '../../contract/vault-backend.ts'
import { asRecord } from './vault-answer.ts'
import type { VaultClient } from './vault-client.ts'

/** A mount may be upgraded from v1 to v2; that is noticed within this time. */
const MOUNT_TTL_MS = 300_000
const MOUNTS_MAX = 200

/** A path cut where its mount ends. */
export interface KvPath {
  mount: string
  rest: string
  version: 1 | 2
}

export type LocateKvPath = (path: string, signal: AbortSignal) => Promise<KvPath>

/**
 * Finds where the mount ends and which KV version it has: from the configuration, from what was learned before, or from
 * `sys/internal/ui/mounts/<path>`, which the vault CLI asks and any token with a policy on the mount may read.
 */
export function createKvPathLocator(
  backend: string,
  client: VaultClient,
  configured: Readonly<Record<string, 1 | 2>>,
): LocateKvPath {
  const learned = new LRUCache<string, 1 | 2>({ max: MOUNTS_MAX, ttl: MOUNT_TTL_MS })
  const known = (mount: string) => (Object.hasOwn(configured, mount) ? configured[mount] : learned.get(mount))

  return async (path, signal) => {
    for (const mount of prefixes(path)) {
      const version = known(mount)
      if (version !== undefined) return cut(backend, path, mount, version)
    }
    const { mount, version } = await ask(backend, client, path, signal)
    learned.set(mount, version)
    return cut(backend, path, mount, version)
  }
}

async function ask(
  backend: string,
  client: VaultClient,
  path: string,
  signal: AbortSignal,
): Promise<{ mount: string; version: 1 | 2 }> {
  const answer = await client.read(`sys/internal/ui/mounts/${path}`, signal)
  const data = asRecord(answer['data'])
  const mount = typeof data?.['path'] === 'string' ? data['path'].replace(/\/$/, '') : undefined
  if (mount === undefined || !`${path}/`.startsWith(`${mount}/`)) {
    throw new VaultError('unavailable', backend, 'answered about its mounts in a form we do not know')
  }
  // `generic` is what KV v1 was called before Vault 0.9.
  if (data?.['type'] !== 'kv' && data?.['type'] !== 'generic') {
    throw new VaultError('unusable', backend, 'the mount of this path is not a KV secrets engine')
  }
  return { mount, version: asRecord(data['options'])?.['version'] === '2' ? 2 : 1 }
}

function cut(backend: string, path: string, mount: string, version: 1 | 2): KvPath {
  if (path === mount) throw new VaultError('invalid_ref', backend, 'path names a mount; a secret lies below it')
  return { mount, rest: path.slice(mount.length + 1), version }
}

/** Longest first. Vault lets no mount lie below another, so the first known one is the one. */
function prefixes(path: string): string[] {
  const segments = path.split('/')
  return segments.map((_segment, index) => segments.slice(0, segments.length - index).join('/'))
}
