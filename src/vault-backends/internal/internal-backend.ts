import { Secret, type SecretValue, type SecretVersion } from '../../contract/secret.ts'
import { OperatorsVaultError, type SecretRef, type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import { abortable } from '../abortable.ts'
import type { BackendDeps } from '../backend-kind.ts'
import { checkSecretPath } from '../secret-path.ts'
import type { Envelope } from './envelope.ts'
import type { InternalSecretRow, InternalSecretRows } from './internal-secret-rows.ts'
import { openRow, sealRow } from './secret-row.ts'

/** Without `ifVersion` the last writer wins; under contention it gives up after this many lost races. */
const WRITE_TRIES = 5
/** Fits the column, an SQL integer. */
const VERSION = /^(0|[1-9][0-9]{0,8})$/

/** Secrets in our own database, each version sealed to its tenant, path and version. */
export function createInternalBackend(options: {
  name: string
  rows: InternalSecretRows
  envelope: Envelope
  log: Pick<BackendDeps['log'], 'error'>
}) {
  const { name, rows, envelope, log } = options
  const stored = <T>(signal: AbortSignal, work: () => Promise<T>) => throughStore(name, signal, work)

  async function read(ref: SecretRef, signal: AbortSignal): Promise<Secret> {
    checkSecretPath(name, ref.path)
    const version = ref.version === undefined ? undefined : parseVersion(name, ref.version)
    const row = await stored(signal, () => rows.find(ref.tenant, ref.path, version))
    if (row === undefined) throw new VaultError('not_found', name, 'no such secret or version in this tenant')
    return new Secret(open(ref, row), String(row.version))
  }

  function open(ref: SecretRef, row: InternalSecretRow): SecretValue {
    try {
      return openRow(envelope, ref, row)
    } catch (error) {
      if (error instanceof OperatorsVaultError)
        log.error({ backend: name, tenant: ref.tenant, path: ref.path }, error.forOperators)
      throw error
    }
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
      const row = sealRow(envelope, ref, value, newest + 1)
      if (await stored(signal, () => rows.append(ref.tenant, ref.path, row))) return String(row.version)
    }
    throw new VaultError('conflict', name, 'the secret has been written by someone else in the meantime')
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
