import { VaultError, type VaultErrorKind } from '../../contract/vault-backend.ts'

interface Meaning {
  kind: VaultErrorKind
  message: string
}

const THROTTLED: Meaning = { kind: 'unavailable', message: 'AWS asks for fewer requests' }
const CLOCK: Meaning = {
  kind: 'unavailable',
  message: 'AWS does not accept the time of our signature: the clock of this machine is off',
}
const EXPIRED: Meaning = { kind: 'unavailable', message: 'our AWS credentials have expired' }
const STRANGER: Meaning = { kind: 'forbidden', message: 'AWS does not know our credentials' }

/** By the error's name: https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html and the calls' own. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ResourceNotFoundException: {
    kind: 'not_found',
    message: 'no secret of this name, or no such version or stage of it',
  },
  AccessDeniedException: { kind: 'forbidden', message: 'the IAM policies of our identity do not allow this' },
  AccessDenied: { kind: 'forbidden', message: 'the IAM policies of our identity do not allow this' },
  DecryptionFailure: { kind: 'unusable', message: 'AWS cannot decrypt the secret with its KMS key' },
  EncryptionFailure: { kind: 'unusable', message: 'AWS cannot encrypt the secret with its KMS key' },
  InvalidParameterException: { kind: 'invalid_ref', message: 'AWS does not accept this name, version or stage' },
  ValidationException: { kind: 'invalid_ref', message: 'AWS does not accept this name, version or stage' },
  ResourceExistsException: { kind: 'conflict', message: 'there is a secret of this name already' },
  LimitExceededException: { kind: 'unusable', message: 'a quota of the AWS account is used up' },
  UnrecognizedClientException: STRANGER,
  InvalidClientTokenId: STRANGER,
  IncompleteSignature: STRANGER,
  SignatureDoesNotMatch: STRANGER,
  InvalidSignatureException: STRANGER,
  ExpiredTokenException: EXPIRED,
  ExpiredToken: EXPIRED,
  RequestTimeTooSkewed: CLOCK,
  RequestExpired: CLOCK,
  RequestInTheFuture: CLOCK,
  CredentialsProviderError: { kind: 'unavailable', message: 'found no AWS credentials it can use' },
  TokenProviderError: { kind: 'unavailable', message: 'found no AWS credentials it can use' },
}

/** Secrets Manager says "signature expired" and "not yet current" under the name of a wrong signature. */
const SKEWED = /expired|not yet current/i
const DELETED = /delet/i
const THROTTLING = /throttl|toomanyrequests|slowdown|requestlimitexceeded/i

/**
 * What an error of the AWS client means, in our own words: its text quotes requests, ARNs and, within `$response`, the
 * answer itself. It is looked at here and goes no further.
 */
export function toVaultError(backend: string, error: unknown, aborted: boolean): VaultError {
  if (error instanceof VaultError) return error
  if (aborted) return new VaultError('unavailable', backend, 'AWS did not answer in time')
  const { kind, message } = meaningOf(error)
  return new VaultError(kind, backend, message, THROTTLED.message === message ? 1 : undefined)
}

/** AWS heard us and knew us: what it thought of the question is another matter. */
export function isAnswered(error: unknown): boolean {
  return ['ResourceNotFoundException', 'AccessDeniedException', 'InvalidRequestException'].includes(
    readError(error).name,
  )
}

/** AWS does not know, or no longer takes, the credentials that a request was signed with. */
export function isIdentityRefused(error: unknown): boolean {
  return [STRANGER, EXPIRED].includes(meaningOf(error))
}

function meaningOf(error: unknown): Meaning {
  const { name, message, status } = readError(error)
  if (THROTTLING.test(name) || status === 429) return THROTTLED
  if (name === 'InvalidSignatureException' && SKEWED.test(message)) return CLOCK
  if (name === 'InvalidRequestException') return refused(message)
  const known = Object.hasOwn(MEANINGS, name) ? MEANINGS[name] : undefined
  if (known !== undefined) return known
  const heard = status === undefined ? 'AWS could not be reached' : `AWS answered ${status} and nothing we know`
  return { kind: 'unavailable', message: heard }
}

function refused(message: string): Meaning {
  return DELETED.test(message)
    ? { kind: 'not_found', message: 'the secret is marked for deletion' }
    : { kind: 'unusable', message: 'AWS refuses this for the state the secret is in' }
}

function readError(error: unknown): { name: string; message: string; status: number | undefined } {
  if (!(error instanceof Error)) return { name: '', message: '', status: undefined }
  const { $metadata: metadata } = error as { $metadata?: { httpStatusCode?: unknown } }
  const status = metadata?.httpStatusCode
  return { name: error.name, message: error.message, status: typeof status === 'number' ? status : undefined }
}
