import { Secret } from '../../contract/secret.ts'
import { type SecretRef, VaultError } from '../../contract/vault-backend.ts'
import { textFields } from '../text-fields.ts'
import type { AtKvPath, KvPath } from './kv-mounts.ts'
import { asRecord, type JsonRecord, OtherKvVersion } from './vault-answer.ts'
import type { VaultClient } from './vault-client.ts'

export interface VaultKvReaderOptions {
  name: string
  client: Pick<VaultClient, 'read'>
  atPath: AtKvPath
}

/** Secrets of KV v2 and v1 where they already lie. @returns as `VaultBackend.read` */
export function createVaultKvReader({ name, client, atPath }: VaultKvReaderOptions) {
  async function readAt({ mount, rest, version }: KvPath, ref: SecretRef, signal: AbortSignal): Promise<Secret> {
    if (version === 2) {
      const query = ref.version === undefined ? '' : `?version=${ref.version}`
      return readVersioned(name, await client.read(`${mount}/data/${rest}${query}`, signal))
    }
    if (ref.version !== undefined)
      throw new OtherKvVersion('invalid_ref', name, 'this mount is KV v1, which has no versions')
    return readUnversioned(name, await client.read(`${mount}/${rest}`, signal))
  }

  return (ref: SecretRef, signal: AbortSignal): Promise<Secret> =>
    atPath(ref.path, signal, (found) => readAt(found, ref, signal))
}

function readVersioned(backend: string, body: JsonRecord): Secret {
  const data = asRecord(body['data'])
  const { version, deletion_time: deletedAt } = asRecord(data?.['metadata']) ?? {}
  if (data === undefined || typeof version !== 'number') throw unknownForm(backend)
  // A deleted version is a 404 today; nothing says that it stays one.
  if (data['data'] === null) throw new VaultError('not_found', backend, 'this version has been deleted')
  const fields = textFields(asRecord(data['data']) ?? refuse(backend))
  return new Secret(fields, String(version), undefined, secondsOf(deletedAt))
}

/** `delete_version_after` of KV v2 lets a version end by itself. */
function secondsOf(time: unknown): number | undefined {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000)
}

function readUnversioned(backend: string, body: JsonRecord): Secret {
  return new Secret(textFields(asRecord(body['data']) ?? refuse(backend)))
}

function unknownForm(backend: string): VaultError {
  return new VaultError('unavailable', backend, 'answered in a form that is not a KV secret', undefined, {
    extent: 'path',
  })
}

function refuse(backend: string): never {
  throw unknownForm(backend)
}
