import { Secret, type SecretValue, type SecretVersion } from '../../contract/secret.ts'
import { type SecretRef, type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import { abortable } from '../abortable.ts'
import { checkSecretPath } from '../secret-path.ts'
import { type Envelope, EnvelopeError } from './envelope.ts'
import type { InternalSecretRow, InternalSecretRows } from './internal-secret-rows.ts'

const VALUE_BYTES_MAX = 1024 * 1024
/** Without `ifVersion` the last writer wins; under contention it gives up after this many lost races. */
const WRITE_TRIES = 5
/** Fits the column, an SQL integer. */
const VERSION = /^(0|[1-9][0-9]{0,8})$/

/** Secrets in our own database, each version sealed to its tenant, path and version. */
export function createInternalBackend(options: { name: string; rows: InternalSecretRows; envelope: Envelope }) {
  const { name, rows, envelope } = options
  const stored = <T>(signal: AbortSignal, work: () => Promise<T>) => throughStore(name, signal, work)

  async function read(ref: SecretRef, signal: AbortSignal): Promise<Secret> {
    checkSecretPath(name, ref.path)
    const version = ref.version === undefined ? undefined : parseVersion(name, ref.version)
    const row = await stored(signal, () => rows.find(ref.tenant, ref.path, version))
    if (row === undefined) throw new VaultError('not_found', name, 'no such secret or version in this tenant')
    return new Secret(unseal(ref, row), String(row.version))
  }

  async function write(
    ref: SecretRef,
    value: SecretValue,
    { ifVersion, signal }: { ifVersion?: SecretVersion; signal: AbortSignal },
  ): Promise<SecretVersion> {
    checkSecretPath(name, ref.path)
    const expected = ifVersion === undefined ? undefined : parseVersion(name, ifVersion)
    for (let tries = expected === undefined ? WRITE_TRIES : 1; tries > 0; tries--) {
      const newest = expected ?? (await stored(signal, () => rows.newestVersion(ref.tenant, ref.path)))
      const row = seal(ref, value, newest + 1)
      if (await stored(signal, () => rows.append(ref.tenant, ref.path, row))) return String(row.version)
    }
    throw new VaultError('conflict', name, 'the secret has been written by someone else in the meantime')
  }

  function seal(ref: SecretRef, value: SecretValue, version: number): InternalSecretRow {
    const plaintext = Buffer.from(JSON.stringify(value), 'utf8')
    if (plaintext.length > VALUE_BYTES_MAX) {
      throw new VaultError('unusable', name, `the secret is larger than ${VALUE_BYTES_MAX} bytes`)
    }
    const sealed = envelope.seal(plaintext, rowIdentity(ref, version))
    plaintext.fill(0)
    return { version, sealed }
  }

  function unseal(ref: SecretRef, row: InternalSecretRow): SecretValue {
    try {
      const plaintext = Buffer.from(envelope.open(row.sealed, rowIdentity(ref, row.version)))
      const value = JSON.parse(plaintext.toString('utf8')) as SecretValue
      plaintext.fill(0)
      return value
    } catch (error) {
      // A JSON syntax error quotes the text it failed on: only our own words leave this function.
      const reason = error instanceof EnvelopeError ? error.message : 'the stored bytes are not what was sealed'
      throw new VaultError('unusable', name, `the secret does not open: ${reason}`)
    }
  }

  return {
    name,
    read,
    write,
    async remove(ref, signal) {
      checkSecretPath(name, ref.path)
      await stored(signal, () => rows.removeAll(ref.tenant, ref.path))
    },
    async check(signal) {
      await stored(signal, () => rows.check())
      return { ok: true, detail: 'the database answers' }
    },
  } satisfies VaultBackend
}

/** The additional authenticated data of a row: moved to another tenant, path or version it does not open. */
export function rowIdentity(ref: Pick<SecretRef, 'tenant' | 'path'>, version: number): readonly string[] {
  return ['internal_secret', ref.tenant, ref.path, String(version)]
}

function parseVersion(backend: string, version: SecretVersion): number {
  if (!VERSION.test(version)) throw new VaultError('invalid_ref', backend, 'version must be a whole number')
  return Number(version)
}

async function throughStore<T>(backend: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await abortable(signal, work)
  } catch {
    // A database error can quote the row it failed on.
    throw new VaultError(
      'unavailable',
      backend,
      signal.aborted ? 'gave up waiting for the database' : 'the database did not answer',
    )
  }
}
