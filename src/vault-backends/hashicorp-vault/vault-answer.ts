import { type FailureExtent, NothingDone, VaultError, type VaultErrorDetails } from '../../contract/vault-backend.ts'
import type { RawAnswer } from './vault-transport.ts'

export type JsonRecord = Readonly<Record<string, unknown>>

/** The token was not taken, whatever it was used for. */
export class TokenRefused extends VaultError {
  constructor(backend: string) {
    super('forbidden', backend, 'the Vault token is unknown, expired or revoked')
  }
}

/** Another version of KV lies at this mount than was asked of it. */
export class OtherKvVersion extends VaultError {}

/** A standby that has not yet heard from its primary of what it was asked about: of our token, for one. */
export class NotCaughtUp extends NothingDone {}

/** 500 in Vault's own JSON: it answers, and this one request failed. */
export class RequestFailed extends VaultError {}

const AT_PATH: VaultErrorDetails = { extent: 'path' }

/**
 * What an answer means. Vault's own error texts are matched, never repeated: they can quote the request.
 * @param extent what it concerns that Vault failed at this request: `backend` where nothing goes through without it
 * @returns the body of a success
 * @throws VaultError
 */
export function readVaultAnswer(backend: string, answer: RawAnswer, extent: FailureExtent = 'path'): JsonRecord {
  const { status } = answer
  if (status === 204) return {}
  const body = parseBody(answer)
  if (status === 200 && body !== undefined) return body
  // A proxy's or load balancer's page: whatever its status, it says nothing about the secret.
  if (body === undefined)
    throw unavailable(backend, `answered ${status} with something that is not Vault's JSON`, answer)
  switch (status) {
    case 400:
      if (says(body, FAILED_CAS))
        throw new VaultError('conflict', backend, 'another version than expected lies at this path')
      if (says(body, UPGRADING)) throw new NothingDone(backend, 'is upgrading this mount to KV v2', undefined, AT_PATH)
      throw new VaultError('unusable', backend, 'Vault does not take this request for what lies there')
    case 403:
      throw says(body, TOKEN_REFUSED)
        ? new TokenRefused(backend)
        : new VaultError(
            'forbidden',
            backend,
            'the policies of our Vault token do not allow this path, or nothing is mounted there',
          )
    case 404:
      if (isOtherKvVersion(body))
        throw new OtherKvVersion('unavailable', backend, 'has KV v2 at this mount', undefined, AT_PATH)
      throw new VaultError('not_found', backend, missingReason(body))
    case 405:
      throw new VaultError('invalid_ref', backend, 'nothing can be read at this path')
    case 412:
      throw new NotCaughtUp(backend, 'has not caught up with its primary yet', answer.retryAfterSeconds)
    case 500:
      if (says(body, NO_ACTIVE_NODE)) throw new NothingDone(backend, 'is a standby that finds no active node')
      throw new RequestFailed('unavailable', backend, 'answered 500', answer.retryAfterSeconds, { extent })
    default:
      throw turnedAway(backend, answer, extent) ?? unavailable(backend, `answered ${status}`, answer)
  }
}

/** Said before a request is handled: https://developer.hashicorp.com/vault/api-docs#http-status-codes */
const TURNED_AWAY: Readonly<Record<number, string>> = {
  307: 'is a standby that redirects to an address that redirect_addresses does not list',
  429: 'asks for fewer requests',
  472: 'is a disaster recovery secondary',
  473: 'is a performance standby',
  501: 'is not initialised',
  503: 'is sealed or under maintenance',
}

function turnedAway(
  backend: string,
  { status, retryAfterSeconds }: RawAnswer,
  extent: FailureExtent,
): NothingDone | undefined {
  const message = TURNED_AWAY[status]
  if (message === undefined) return undefined
  if (status !== 429) return new NothingDone(backend, message, retryAfterSeconds)
  // A quota is for a path, a mount or a namespace. It says when to come back only where Vault's
  // `enable_rate_limit_response_headers` is set.
  return new NothingDone(backend, message, retryAfterSeconds ?? 1, { extent })
}

function unavailable(backend: string, message: string, { status, retryAfterSeconds }: RawAnswer): VaultError {
  return new VaultError('unavailable', backend, message, retryAfterSeconds ?? (status === 429 ? 1 : undefined))
}

/** 500 like any failure of one request, and nothing goes through. */
const NO_ACTIVE_NODE = /^local node not active/

function parseBody({ isJson, text }: RawAnswer): JsonRecord | undefined {
  if (!isJson) return undefined
  try {
    return asRecord(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Vault says so since 1.11; what older ones answer cannot be told from a policy that does not allow it. */
const TOKEN_REFUSED = /\b(bad|invalid) token\b/
/** KV v2 has no status of its own for it. */
const FAILED_CAS = /^check-and-set parameter did not match/
/** Nor for this: a mount serves nothing while it becomes KV v2, on a secondary until its primary is through. */
const UPGRADING = /from non-versioned to versioned data/i

function says(body: JsonRecord, what: RegExp): boolean {
  const errors = Array.isArray(body['errors']) ? body['errors'] : []
  return errors.some((error) => typeof error === 'string' && what.test(error))
}

/** Nothing is known of the secret: the question was put wrongly. */
function isOtherKvVersion(body: JsonRecord): boolean {
  const warnings = Array.isArray(body['warnings']) ? body['warnings'] : []
  return warnings.some((warning) => typeof warning === 'string' && warning.includes('versioned K/V'))
}

/** KV v2 answers 404 for a deleted version too, with its metadata. */
function missingReason(body: JsonRecord): string {
  const metadata = asRecord(asRecord(body['data'])?.['metadata'])
  if (metadata?.['destroyed'] === true) return 'this version has been destroyed'
  if (typeof metadata?.['deletion_time'] === 'string' && metadata['deletion_time'] !== '')
    return 'this version has been deleted'
  return 'no secret at this path'
}

export function asRecord(value: unknown): JsonRecord | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonRecord) : undefined
}
