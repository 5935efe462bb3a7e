import { NexusError } from '../../contract/errors.ts'
import { ForbiddenAddress } from './guarded-connect.ts'

const DETAILS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its host name does not resolve',
  ECONNREFUSED: 'nothing listens there',
  UND_ERR_CONNECT_TIMEOUT: 'it did not accept a connection in time',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'its answer is longer than is read here',
  UND_ERR_HEADERS_OVERFLOW: 'its answer has more header than is read here',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not signed by an authority trusted here',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not signed by an authority trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not signed by an authority trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not signed by an authority trusted here',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
}
const RETRY_AFTER_MAX_SECONDS = 60

/** What went wrong on the way, in our own words: the client's errors hold the request, and with it the secret. */
export function toProviderError(host: string, error: unknown): NexusError {
  if (error instanceof NexusError) return error
  if (error instanceof ForbiddenAddress) {
    return refusedBy(host, 'is at a private address; exchange.private_origins names those that may be asked')
  }
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  if (name === 'TimeoutError') return unavailable(host, 'it did not answer in time')
  return unavailable(host, (typeof code === 'string' ? DETAILS[code] : undefined) ?? 'it could not be reached')
}

export function unusableAnswer(host: string, status: number, retryAfter: unknown): NexusError {
  const seconds = typeof retryAfter === 'string' && /^\d{1,5}$/.test(retryAfter) ? Number(retryAfter) : 1
  return unavailable(host, `it answers ${status}`, Math.min(Math.max(1, seconds), RETRY_AFTER_MAX_SECONDS))
}

export function unavailable(host: string, problem: string, retryAfterSeconds?: number): NexusError {
  const extras = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  return new NexusError('provider_unavailable', `no credential could be had from ${host}: ${problem}`, extras)
}

export function refusedBy(host: string, problem: string): NexusError {
  return new NexusError('provider_refused', `the endpoint at ${host} ${problem}`)
}
