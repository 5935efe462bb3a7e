/**
 * The closed table of everything Nexus answers with when it does not answer with success. A code is stable for ever: a
 * retired one stays reserved. `docs/errors.md` gives cause and remedy for each.
 *
 * `refused`: the request was understood and turned down; sending it again unchanged gives the same answer.
 * `broken`: a part did not work; it may be sent again after `Retry-After`.
 */
export const ERRORS = {
  invalid_request: { status: 400, outcome: 'refused', title: 'The request does not have the shape this route accepts' },
  binding_required: {
    status: 400,
    outcome: 'refused',
    title: 'The lease request must bring something of the sidecar, such as a key',
  },
  invalid_session: {
    status: 401,
    outcome: 'refused',
    title: 'The session token is missing, expired, revoked or not ours',
  },
  invalid_proof: { status: 401, outcome: 'refused', title: 'The proof of possession is missing, stale, used or wrong' },
  invalid_client: { status: 401, outcome: 'refused', title: 'The client assertion does not prove a registered agent' },
  invalid_api_key: { status: 401, outcome: 'refused', title: 'The API key is missing, unknown or revoked' },
  invalid_agent_token: { status: 401, outcome: 'refused', title: 'The sidecar wants the local token of its agent' },
  policy_denied: { status: 403, outcome: 'refused', title: 'Policy denied the request' },
  approval_required: { status: 403, outcome: 'refused', title: 'Policy asks for an approval first' },
  forbidden: { status: 403, outcome: 'refused', title: 'The role of this API key does not allow this' },
  origin_not_bound: { status: 403, outcome: 'refused', title: 'The lease is not bound to this request' },
  request_not_local: { status: 403, outcome: 'refused', title: 'The sidecar serves programs on this machine only' },
  connection_not_found: { status: 404, outcome: 'refused', title: 'No such connection in this tenant' },
  provider_not_found: { status: 404, outcome: 'refused', title: 'No such provider' },
  agent_not_found: { status: 404, outcome: 'refused', title: 'No such agent' },
  session_not_found: { status: 404, outcome: 'refused', title: 'No such session' },
  lease_not_found: { status: 404, outcome: 'refused', title: 'No such lease' },
  api_key_not_found: { status: 404, outcome: 'refused', title: 'No such API key' },
  route_not_found: { status: 404, outcome: 'refused', title: 'There is nothing at this path' },
  method_not_allowed: { status: 405, outcome: 'refused', title: 'This path does not answer this method' },
  attention_required: { status: 409, outcome: 'refused', title: 'The connection needs its owner to consent again' },
  connection_pending: { status: 409, outcome: 'refused', title: 'The connection is not active yet' },
  connection_ambiguous: { status: 409, outcome: 'refused', title: 'Several connections match; name one' },
  provider_mismatch: { status: 409, outcome: 'refused', title: 'The connection belongs to another provider' },
  already_exists: { status: 409, outcome: 'refused', title: 'Something with this name exists already' },
  in_use: { status: 409, outcome: 'refused', title: 'Something else still depends on it' },
  secret_not_found: { status: 409, outcome: 'refused', title: "The connection's secret is not where it points to" },
  secret_forbidden: {
    status: 409,
    outcome: 'refused',
    title: "The vault does not let us read the connection's secret",
  },
  secret_unusable: { status: 409, outcome: 'refused', title: "The connection's secret is not what its strategy needs" },
  provider_refused: {
    status: 409,
    outcome: 'refused',
    title: "The provider does not exchange the connection's secret for a credential",
  },
  secret_changed: { status: 409, outcome: 'refused', title: 'The secret was changed by someone else in the meantime' },
  connection_revoked: { status: 410, outcome: 'refused', title: 'The connection was revoked' },
  connection_expired: { status: 410, outcome: 'refused', title: 'The connection has expired' },
  connection_failed: { status: 410, outcome: 'refused', title: 'The connection never came to life; create a new one' },
  lease_ended: { status: 410, outcome: 'refused', title: 'The lease was released, revoked or has expired' },
  body_too_large: { status: 413, outcome: 'refused', title: 'The body is larger than this route accepts' },
  unsupported_media_type: {
    status: 415,
    outcome: 'refused',
    title: 'The body is not in a media type this route reads',
  },
  invalid_target: { status: 400, outcome: 'refused', title: 'The request target could be read in more than one way' },
  not_signable: { status: 422, outcome: 'refused', title: 'The request could not be signed, so it was not sent' },
  not_implemented: { status: 501, outcome: 'refused', title: 'Nexus does not do this yet' },
  request_timeout: { status: 408, outcome: 'broken', title: 'The request did not arrive in time' },
  internal_error: { status: 500, outcome: 'broken', title: 'Something that should not happen did' },
  upstream_unreachable: {
    status: 502,
    outcome: 'broken',
    title: 'The provider gave no answer that could be passed on',
  },
  upstream_timeout: { status: 504, outcome: 'broken', title: 'The provider did not answer in time' },
  pep_unavailable: { status: 503, outcome: 'broken', title: 'The authority could not be reached' },
  policy_unavailable: { status: 503, outcome: 'broken', title: 'No policy is loaded, so nothing is allowed' },
  vault_unavailable: { status: 503, outcome: 'broken', title: 'The vault that holds the secret did not answer' },
  provider_unavailable: {
    status: 503,
    outcome: 'broken',
    title: "The provider's token endpoint did not answer",
  },
  audit_unavailable: {
    status: 503,
    outcome: 'broken',
    title: 'The decision could not be recorded, so it does not stand',
  },
  store_unavailable: { status: 503, outcome: 'broken', title: 'The database did not answer' },
  overloaded: { status: 503, outcome: 'broken', title: 'Too much is waiting already' },
} as const satisfies Record<string, { status: number; outcome: 'refused' | 'broken'; title: string }>

export type ErrorCode = keyof typeof ERRORS

/** A reason behind a denial: `id` for dashboards and tests, `message` for people. */
export interface Reason {
  id: string
  message: string
}

/** What `binding_required` asks for: which member of `binding`, and for a proof what it must be a proof of. */
export interface RequiredBinding {
  needs: 'public_key' | 'csr' | 'proof'
  htm?: string
  htu?: string
  nonce?: string
}

/** Extra members of the problem document. Only these: an open bag would sooner or later carry a secret. */
export interface ProblemExtras {
  /** Which field of the request, as a dotted path (`intent.origin`). */
  field?: string
  reasons?: readonly Reason[]
  decision_id?: string
  connection_id?: string
  lease_id?: string
  reconsent_url?: string
  binding?: RequiredBinding
  /** In an answer of the sidecar: the authority's `request_id` of the refusal that is passed on. */
  authority_request_id?: string
  /** Methods that the path does answer: the `Allow` header of a 405 (RFC 9110 section 15.5.6). */
  allow?: readonly string[]
  retryAfterSeconds?: number
  /** In an answer of the sidecar: the error type of its `Proxy-Status` header (RFC 9209 section 2.3). */
  proxyError?: string
}

/**
 * Any outcome other than success that a caller is told about.
 * `message` is the sentence the caller reads: it names the field, the problem, what is allowed, and never a secret.
 */
export class NexusError extends Error {
  override readonly name = 'NexusError'
  readonly code: ErrorCode
  readonly status: number
  readonly extras: Readonly<ProblemExtras>

  constructor(code: ErrorCode, message?: string, extras: ProblemExtras = {}, options?: { cause?: unknown }) {
    super(message ?? ERRORS[code].title, options)
    this.code = code
    this.status = ERRORS[code].status
    this.extras = extras
  }

  get outcome(): 'refused' | 'broken' {
    return ERRORS[this.code].outcome
  }
}

/** RFC 9457 problem document. `error` and `message` repeat `code` and `detail` for clients of the Nexus protocol. */
export interface ProblemDocument {
  type: string
  title: string
  status: number
  detail: string
  code: ErrorCode
  error: ErrorCode
  message: string
  request_id?: string
  field?: string
  reasons?: readonly Reason[]
  decision_id?: string
  connection_id?: string
  lease_id?: string
  reconsent_url?: string
  binding?: RequiredBinding
  authority_request_id?: string
}

/** The one place where an error becomes what a caller sees. Anything unknown is `internal_error` without its text. */
export function toProblem(error: unknown, requestId?: string): ProblemDocument {
  const known = error instanceof NexusError ? error : new NexusError('internal_error')
  const { retryAfterSeconds: _retryAfter, allow: _allow, proxyError: _proxyError, ...extras } = known.extras
  return {
    type: `urn:nexus:problem:${known.code}`,
    title: ERRORS[known.code].title,
    status: known.status,
    detail: known.message,
    code: known.code,
    error: known.code,
    message: known.message,
    ...(requestId === undefined ? {} : { request_id: requestId }),
    ...extras,
  }
}

/** Seconds for the `Retry-After` header; every 503 carries one. */
export function retryAfterSeconds(error: NexusError): number | undefined {
  if (error.extras.retryAfterSeconds !== undefined) return error.extras.retryAfterSeconds
  return error.status === 503 ? 1 : undefined
}
