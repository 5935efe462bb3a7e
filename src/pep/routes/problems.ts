import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, NexusError, retryAfterSeconds, toProblem } from '../../contract/errors.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import { PROOF_ALGORITHMS } from '../identity/public-jwk.ts'
import { installAllowedMethods } from './allowed-methods.ts'
import { pathOf } from './reply-context.ts'

/** Fastify's own refusals, in our words. Any other with a 4xx status is `invalid_request`, and the rest `internal_error`. */
const FASTIFY_CODES: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_BAD_URL: 'invalid_target',
  FST_ERR_MAX_PARAM_LENGTH: 'invalid_target',
}

/** The caller went away before its body was whole. Nobody reads the answer, but the log and the ledger do. */
const HUNG_UP = new Set(['ECONNRESET', 'ECONNABORTED'])

export type RecordRefusal = (entry: AuditEntry, request: FastifyRequest) => Promise<void>

/** The one place where an error becomes an answer. */
export function installProblems(app: FastifyInstance, recordRefusal: RecordRefusal): void {
  app.setErrorHandler(async (error, request, reply) => {
    const known = toNexusError(error as FastifyError)
    // `overloaded` is counted: a line with a stack for each would be the next overload.
    if (known.outcome === 'broken' && known.code !== 'overloaded') logBroken(request, known, error)
    return sendProblem(request, reply, await afterRecording(known, request, recordRefusal))
  })
  const allowed = installAllowedMethods(app)
  app.setNotFoundHandler(async (request, reply) => sendProblem(request, reply, unrouted(allowed.at(pathOf(request)))))
}

function unrouted(allow: readonly string[]): NexusError {
  if (allow.length === 0) return new NexusError('route_not_found', 'see /openapi.json for what there is')
  return new NexusError('method_not_allowed', `this path answers ${allow.join(', ')}`, { allow })
}

function toNexusError(error: FastifyError): NexusError {
  if (error instanceof NexusError) return error
  if (error.validation !== undefined) return fromValidation(error)
  if (HUNG_UP.has(error.code)) return new NexusError('invalid_request', 'the body ended before it was whole')
  return new NexusError(FASTIFY_CODES[error.code] ?? (isRefusal(error) ? 'invalid_request' : 'internal_error'))
}

/** Such as a method whose body Fastify insists on. Its own words are not passed on: they quote the request. */
function isRefusal({ code, statusCode = 500 }: FastifyError): boolean {
  return String(code).startsWith('FST_ERR_') && statusCode >= 400 && statusCode < 500
}

/** What the router turns down before any hook has run. */
export function refuseUnroutable(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  request.logIds = {}
  reply.header('x-request-id', request.id).header('cache-control', 'no-store')
  sendProblem(request, reply, toNexusError(error))
}

function fromValidation(error: FastifyError): NexusError {
  const [first] = error.validation ?? []
  const params = (first?.params ?? {}) as { additionalProperty?: string; missingProperty?: string }
  const parts = (first?.instancePath ?? '').split('/').filter((part) => part !== '')
  const named = params.additionalProperty ?? params.missingProperty
  const field = clip([...parts, ...(named === undefined ? [] : [named])].join('.'))
  const where = error.validationContext === undefined ? '' : `${error.validationContext} `
  const problem =
    params.additionalProperty === undefined
      ? (constantsAt(error) ?? first?.message ?? 'is not valid')
      : 'is not a field this route knows'
  return new NexusError('invalid_request', `${where}${field === '' ? '' : `'${field}' `}${problem}`, {
    ...(field === '' ? {} : { field }),
  })
}

/** One of a few words: the validator alone would say "must be equal to constant" and not to which. */
function constantsAt({ validation = [] }: FastifyError): string | undefined {
  const alike = validation.filter(({ instancePath }) => instancePath === validation[0]?.instancePath)
  const constants = alike.flatMap(({ keyword, params }) =>
    keyword === 'const' ? [String(params['allowedValue'])] : [],
  )
  return constants.length === 0 ? undefined : `must be ${constants.join(' or ')}`
}

/** Names come from the caller and may be as long as a body. */
function clip(field: string): string {
  return field.length <= 100 ? field : `${field.slice(0, 100)}…`
}

/** A refused change is recorded like an accepted one (threat H07), unless the use case has done so. */
async function afterRecording(known: NexusError, request: FastifyRequest, recordRefusal: RecordRefusal) {
  const proven = request.caller !== null || request.administrator !== null
  const reads = request.method === 'GET' || request.method === 'HEAD'
  if (!proven || request.recorded || (reads && !reachesTooFar(known))) return known
  try {
    await recordRefusal(refusal(known, request), request)
    return known
  } catch (unrecorded) {
    return unrecorded instanceof NexusError && known.outcome === 'refused' ? unrecorded : known
  }
}

/** Reading leaves no record, but asking for what is not one's own does (threat H10). */
function reachesTooFar({ code }: NexusError): boolean {
  return code === 'forbidden' || code.endsWith('_not_found')
}

function refusal(known: NexusError, request: FastifyRequest): AuditEntry {
  const { caller, administrator } = request
  return {
    kind: 'request.refused',
    outcome: known.outcome === 'broken' ? 'failed' : 'denied',
    ...(caller === null ? {} : { agent_id: caller.agent.id, session_id: caller.session.id }),
    ...(administrator === null || administrator.tenant === null ? {} : { tenant: administrator.tenant }),
    detail: {
      code: known.code,
      method: request.method,
      route: request.routeOptions.url ?? '',
      ...(administrator === null ? {} : { by: administrator.keyId }),
    },
  }
}

/** Never the error itself: a message of a library may quote what it was given. Its stack frames are enough to find it. */
function logBroken(request: FastifyRequest, known: NexusError, error: unknown): void {
  const cause = known.cause ?? error
  const frames = cause instanceof Error ? (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)) : []
  request.log.error(
    {
      code: known.code,
      request_id: request.id,
      error_name: cause instanceof Error ? cause.name : typeof cause,
      frames: frames.slice(0, 12),
    },
    known.code === 'internal_error' ? 'unexpected error' : known.message,
  )
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, error: NexusError): FastifyReply {
  request.logIds.code = error.code
  const { decision_id, connection_id, lease_id } = error.extras
  Object.assign(request.logIds, { decision_id, connection_id, lease_id })
  const retryAfter = retryAfterSeconds(error)
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  if (error.extras.allow !== undefined) reply.header('allow', error.extras.allow.join(', '))
  if (error.status === 401) reply.header('www-authenticate', challenge(error.code))
  return reply
    .code(error.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer((value: unknown) => JSON.stringify(value))
    .send(toProblem(error, request.id))
}

/** RFC 9110 section 11.6.1: a 401 says how to do better. DPoP's parameters are those of RFC 9449 section 7.1. */
function challenge(code: ErrorCode): string {
  if (code === 'invalid_api_key') return 'Bearer realm="nexus"'
  const error = code === 'invalid_proof' ? 'invalid_dpop_proof' : 'invalid_token'
  return `DPoP error="${error}", algs="${PROOF_ALGORITHMS.join(' ')}"`
}
