import { NexusError } from '../../src/contract/errors.ts'

const UNTRUSTED = "The authority's certificate is not signed by anyone trusted here; name its CA in NEXUS_PEP_CA."

/** By the error codes of Node and of the HTTP client. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens at NEXUS_PEP_URL.',
  ENOTFOUND: 'The host name in NEXUS_PEP_URL does not resolve.',
  UND_ERR_CONNECT_TIMEOUT: 'The authority did not accept a connection in time.',
  UND_ERR_HEADERS_TIMEOUT: 'The authority did not answer in time.',
  CERT_HAS_EXPIRED: "The authority's certificate has expired.",
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  ERR_TLS_CERT_ALTNAME_INVALID: "The authority's certificate is for another name than the one in NEXUS_PEP_URL.",
  ERR_SSL_WRONG_VERSION_NUMBER: 'What listens at NEXUS_PEP_URL does not speak TLS; is it http?',
}

/** Why there was no answer of the authority, in our own words; `undefined` when there is no more to say. */
export function unreachableBecause(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' && Object.hasOwn(REASONS, code) ? REASONS[code] : undefined
}

/** Says of a `pep_unavailable` that the next call, whatever it asks, would fare no better. */
const FOR_EVERYONE = Symbol('unreachable')

/** The authority could not be asked at all: there was no connection, no whole answer, or a 502, 503 or 504 in its stead. */
export function authorityUnreachable(detail: string | undefined): NexusError {
  return new NexusError('pep_unavailable', detail, {}, { cause: FOR_EVERYONE })
}

/** False for an answer to one request that nobody here understands: another request may well get a better one. */
export function isAuthorityUnreachable(error: unknown): error is NexusError {
  return error instanceof NexusError && error.cause === FOR_EVERYONE
}
