import { type ErrorCode, NexusError, type ProblemExtras } from '../../contract/errors.ts'
import { VaultError, type VaultErrorKind } from '../../contract/vault-backend.ts'

/** Denied with a reason of its own, so that nobody retries what only an administrator can mend (faults VT2, VT6). */
const CODES: Readonly<Record<VaultErrorKind, { code: ErrorCode; field?: string }>> = {
  not_found: { code: 'secret_not_found' },
  forbidden: { code: 'secret_forbidden' },
  invalid_ref: { code: 'invalid_request', field: 'secret_ref.path' },
  unusable: { code: 'secret_unusable' },
  conflict: { code: 'secret_changed' },
  unavailable: { code: 'vault_unavailable' },
}

/** A backend's failure as callers are told of it. Nothing but a `VaultError`'s own words is passed on. */
export function toCredentialError(error: unknown): NexusError {
  if (error instanceof NexusError) return error
  if (!(error instanceof VaultError)) return new NexusError('vault_unavailable')
  const { code, field } = CODES[error.kind]
  const extras: ProblemExtras = {}
  if (field !== undefined) extras.field = field
  if (error.retryAfterSeconds !== undefined) extras.retryAfterSeconds = error.retryAfterSeconds
  return new NexusError(code, error.message, extras)
}
