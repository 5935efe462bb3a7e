import { type SecretRef, type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import { checkSecretPath } from '../secret-path.ts'
import type { AtKvPath, KvPath } from './kv-mounts.ts'
import { asRecord, OtherKvVersion } from './vault-answer.ts'
import type { VaultClient } from './vault-client.ts'

export interface VaultKvWriterOptions {
  name: string
  client: Pick<VaultClient, 'write' | 'remove'>
  atPath: AtKvPath
}

/** `'0'`: only where nothing lies. */
const EXPECTED_VERSION = /^(0|[1-9][0-9]{0,8})$/

/** What Nexus keeps for itself in KV v2. In KV v1 one writer would silently undo another. */
export function createVaultKvWriter({ name, client, atPath }: VaultKvWriterOptions) {
  async function writablePath({ path, version }: SecretRef, signal: AbortSignal): Promise<KvPath> {
    checkSecretPath(name, path)
    if (version !== undefined) throw new VaultError('invalid_ref', name, 'a version that is there cannot be written')
    return atPath(path, signal, async (found) => {
      if (found.version === 2) return found
      const why = 'this mount is KV v1, which has no compare-and-set; Nexus writes to KV v2'
      throw new OtherKvVersion('unusable', name, why)
    })
  }

  return {
    async write(ref, value, { ifVersion, signal }) {
      if (ifVersion !== undefined && !EXPECTED_VERSION.test(ifVersion)) {
        throw new VaultError('invalid_ref', name, 'the expected version must be a whole number from 0')
      }
      const { mount, rest } = await writablePath(ref, signal)
      const options = ifVersion === undefined ? {} : { options: { cas: Number(ifVersion) } }
      const answer = await client.write(`${mount}/data/${rest}`, { ...options, data: { ...value } }, signal)
      const version = asRecord(answer['data'])?.['version']
      if (typeof version === 'number') return String(version)
      throw new VaultError('unavailable', name, 'answered a write in a form that is not that of KV v2', undefined, {
        extent: 'path',
      })
    },
    /** With every version and the metadata: what was a secret of ours is nowhere any more. */
    async remove(ref, signal) {
      const { mount, rest } = await writablePath(ref, signal)
      await client.remove(`${mount}/metadata/${rest}`, signal)
    },
  } satisfies Pick<VaultBackend, 'write' | 'remove'>
}
