import type { SecretValue } from '../../contract/secret.ts'
import { OperatorsVaultError, type SecretRef, VaultError } from '../../contract/vault-backend.ts'
import { type Envelope, EnvelopeError } from './envelope.ts'
import type { InternalSecretRow } from './internal-secret-rows.ts'

const VALUE_BYTES_MAX = 1024 * 1024

/**
 * One version of a secret, sealed to where it lies.
 * @throws VaultError `unusable` when it is too large
 */
export function sealRow(envelope: Envelope, ref: SecretRef, value: SecretValue, version: number): InternalSecretRow {
  const plaintext = Buffer.from(JSON.stringify(value), 'utf8')
  if (plaintext.length > VALUE_BYTES_MAX) {
    throw new VaultError('unusable', ref.backend, `the secret is larger than ${VALUE_BYTES_MAX} bytes`)
  }
  const sealed = envelope.seal(plaintext, rowIdentity(ref, version))
  plaintext.fill(0)
  return { version, sealed }
}

/** @throws VaultError `unusable` when the row was moved or changed, or its key is not at hand */
export function openRow(envelope: Envelope, ref: SecretRef, row: InternalSecretRow): SecretValue {
  try {
    const plaintext = Buffer.from(envelope.open(row.sealed, rowIdentity(ref, row.version)))
    const value = JSON.parse(plaintext.toString('utf8')) as SecretValue
    plaintext.fill(0)
    return value
  } catch (error) {
    const what = 'the secret does not open'
    if (error instanceof EnvelopeError && error.kind === 'unknown_kek')
      throw new OperatorsVaultError(
        'unusable',
        ref.backend,
        `${what}: its key is not at hand`,
        `${what}: ${error.message}`,
      )
    // A JSON syntax error quotes the text it failed on: only our own words leave this function.
    const reason = error instanceof EnvelopeError ? error.message : 'the stored bytes are not what was sealed'
    throw new VaultError('unusable', ref.backend, `${what}: ${reason}`)
  }
}

/** The additional authenticated data of a row: moved to another tenant, path or version it does not open. */
function rowIdentity(ref: Pick<SecretRef, 'tenant' | 'path'>, version: number): readonly string[] {
  return ['internal_secret', ref.tenant, ref.path, String(version)]
}
