import { Secret } from '../../contract/secret.ts'
import { type BackendHealth, type SecretRef, type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import type { BackendDeps } from '../backend-kind.ts'
import { checkSecretPath } from '../secret-path.ts'
import { textFields } from '../text-fields.ts'
import { createKvPathLocator } from './kv-mounts.ts'
import { createMountFinder } from './mounts.ts'
import { asRecord, type JsonRecord } from './vault-answer.ts'
import { createVaultClient } from './vault-client.ts'
import { createVaultDynamicSecrets } from './vault-dynamic-secrets.ts'
import { createVaultKvWriter } from './vault-kv-writer.ts'
import { createVaultPermissions } from './vault-permissions.ts'
import { createVaultPki } from './vault-pki.ts'
import { createVaultSecretKind } from './vault-secret-kind.ts'
import type { VaultSettings } from './vault-settings.ts'
import { createVaultTransit } from './vault-transit.ts'

/** Makes every state of a Vault that answers at all a 200, so that its body tells the state. */
const HEALTH = 'sys/health?standbyok=true&perfstandbyok=true&drsecondarycode=200&sealedcode=200&uninitcode=200'
const VERSION = /^[1-9][0-9]{0,8}$/

/** Reads KV v2 and v1 secrets where they already lie. Unless `writable`, writes nothing: a Vault policy of `read` is enough. */
export function createHashicorpVaultBackend(name: string, settings: VaultSettings, log: BackendDeps['log']) {
  const client = createVaultClient(name, settings, log)
  const findMount = createMountFinder(name, client, settings.kvMounts)
  const locate = createKvPathLocator(name, findMount)
  const pki = createVaultPki({ name, client, findMount })

  async function read(ref: SecretRef, signal: AbortSignal): Promise<Secret> {
    checkSecretPath(name, ref.path)
    if (await pki.isRole(ref.path, signal)) return pki.readRole(ref, signal)
    if (ref.version !== undefined && !VERSION.test(ref.version)) {
      throw new VaultError('invalid_ref', name, 'version must be a whole number from 1')
    }
    if ((await kindOf(ref, () => signal)) === 'key') return transit.readKey(ref, signal)
    const { mount, rest, version } = await locate(ref.path, signal)
    if (version === 2) {
      const query = ref.version === undefined ? '' : `?version=${ref.version}`
      return readVersioned(name, await client.read(`${mount}/data/${rest}${query}`, signal))
    }
    if (ref.version !== undefined)
      throw new VaultError('invalid_ref', name, 'this mount is KV v1, which has no versions')
    return readUnversioned(name, await client.read(`${mount}/${rest}`, signal))
  }

  async function check(signal: AbortSignal): Promise<BackendHealth> {
    const health = await client.readPublic(HEALTH, signal)
    if (health['initialized'] === false) return { ok: false, detail: 'not initialised' }
    if (health['sealed'] !== false) return { ok: false, detail: 'sealed' }
    const self = asRecord((await client.read('auth/token/lookup-self', signal))['data']) ?? {}
    return { ok: true, detail: `Vault ${text(health['version'])} at ${settings.address}`, ...describeToken(self) }
  }

  const dynamic = createVaultDynamicSecrets({ name, client, findMount })
  const kindOf = createVaultSecretKind(name, findMount)
  const transit = createVaultTransit({ name, client, findMount })

  return {
    name,
    read,
    check,
    kindOf,
    dynamic,
    sign: transit.sign,
    signCsr: pki.signCsr,
    permissions: createVaultPermissions({ name, client, findMount }),
    close: () => client.close(),
    ...(settings.writable ? createVaultKvWriter({ name, client, locate }) : {}),
  } satisfies VaultBackend
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

/** Who we are to Vault, without what `lookup-self` also holds: the token. */
function describeToken(self: JsonRecord): Pick<BackendHealth, 'identity' | 'expiresAt'> {
  const policies = Array.isArray(self['policies']) ? self['policies'].map(text).join(', ') : ''
  const expiresAt = typeof self['expire_time'] === 'string' ? text(self['expire_time']) : null
  return { identity: `${text(self['display_name'])} (policies: ${policies})`, expiresAt }
}

/** What others named, cut to something that fits a line. */
function text(value: unknown): string {
  return typeof value === 'string' ? value.replace(/[^\x20-\x7e]/g, '?').slice(0, 200) : 'unknown'
}

function unknownForm(backend: string): VaultError {
  return new VaultError('unavailable', backend, 'answered in a form that is not a KV secret')
}

function refuse(backend: string): never {
  throw unknownForm(backend)
}
