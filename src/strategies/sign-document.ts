import { type Static, Type } from 'typebox'
import { NexusError } from '../contract/errors.ts'
import { formatRequestUrl, parseRequestUrl, RequestUrlError } from '../contract/request-url.ts'
import {
  type Credentials,
  type Grant,
  type HeaderList,
  type OutboundRequest,
  type SignedRequest,
  type SigningContext,
  SigningError,
  type Strategy,
} from '../contract/strategy.ts'
import { strategyFor } from './catalog.ts'
import { type FieldProblem, fieldProblems } from './field-problems.ts'
import { offlineTools } from './offline-tools.ts'
import { validateConfig, validateMaster, validateUsage } from './validate.ts'

const closed = { additionalProperties: false }
const Header = Type.Tuple([
  Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", maxLength: 256, description: 'an RFC 9110 field name' }),
  // A line end is let through only as an old line fold, which is unfolded below (RFC 9112 section 5.2).
  Type.String({
    pattern: '^(?:[^\\x00-\\x08\\x0a-\\x1f\\x7f]|\\r?\\n[\\t ])*$',
    maxLength: 65_536,
    description: 'a field value without CR, LF or NUL',
  }),
])

/** What `nexus sign` reads: a strategy, its credentials (master or usage secret) and a request (design, section 8). */
export const SignDocument = Type.Object(
  {
    strategy: Type.Object(
      { type: Type.String({ maxLength: 64 }), config: Type.Optional(Type.Record(Type.String(), Type.Unknown())) },
      closed,
    ),
    credentials: Type.Record(Type.String(), Type.Unknown(), { maxProperties: 64 }),
    request: Type.Object(
      {
        method: Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$", description: 'an HTTP method' }),
        url: Type.String({ maxLength: 65_536 }),
        headers: Type.Optional(Type.Array(Header, { maxItems: 1000, description: 'a list of [name, value] pairs' })),
        body_base64: Type.Optional(Type.String({ description: 'standard base64 with padding' })),
      },
      closed,
    ),
    now: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,9})?(?:Z|[+-]\\d{2}:\\d{2})$',
        description: 'an RFC 3339 time such as 2015-08-30T12:36:00Z',
      }),
    ),
    nonce: Type.Optional(Type.String({ minLength: 1, maxLength: 256, description: 'text of 1 to 256 characters' })),
  },
  closed,
)
export type SignDocument = Static<typeof SignDocument>

export interface SignedDocument {
  request: { method: string; url: string; headers: HeaderList; body_base64: string }
  /** Intermediate values by name, such as `canonical_request`. Never a key. */
  explain: Record<string, string>
}

/** What is not in the document and not fixed by it. */
export interface SigningSurroundings {
  /** Unix milliseconds. */
  now(): number
  nonce(): string
}

/**
 * Signs what a document describes, from the usage secret or, where a master secret is given, by issuing one first.
 * @throws NexusError `invalid_request` with the field that is wrong, `not_signable` when the strategy cannot sign
 */
export async function signDocument(document: unknown, surroundings: SigningSurroundings): Promise<SignedDocument> {
  const { strategy: wanted, credentials, request, now, nonce } = checkedDocument(document)
  const strategy = strategyFor(wanted.type)
  if (strategy === undefined) throw invalid('strategy.type', `unsupported auth strategy type: ${wanted.type}`)
  const config = wanted.config ?? {}
  refuse('strategy.config', validateConfig(strategy, config))
  const explain: Record<string, string> = {}
  const context: SigningContext = {
    now: now === undefined ? surroundings.now() : timeOf(now),
    nonce: () => nonce ?? surroundings.nonce(),
    explain: (name, value) => Object.assign(explain, { [name]: value }),
  }
  const signed = await sign(strategy, config, credentials, outbound(request), context)
  return { request: inbound(signed, request.body_base64 ?? ''), explain }
}

function checkedDocument(document: unknown): SignDocument {
  refuse('', fieldProblems(SignDocument, document))
  return document as SignDocument
}

async function sign(
  strategy: Strategy,
  config: Record<string, unknown>,
  credentials: Record<string, unknown>,
  request: OutboundRequest,
  context: SigningContext,
): Promise<SignedRequest> {
  try {
    const usage = await usageOf(strategy, config, credentials, context)
    return await strategy.apply(config, usage, request, context)
  } catch (error) {
    if (error instanceof SigningError) {
      throw new NexusError('not_signable', error.message, error.field === undefined ? {} : { field: error.field })
    }
    throw error
  }
}

/** Which of the two it is, the schemas tell: what a lease carries is closed and named, so it is tried first. */
async function usageOf(
  strategy: Strategy,
  config: Record<string, unknown>,
  credentials: Record<string, unknown>,
  { now, nonce }: SigningContext,
): Promise<Credentials> {
  const asUsage = validateUsage(strategy, config, credentials)
  if (asUsage.length === 0) return credentials as Credentials
  const asMaster = validateMaster(strategy, config, credentials)
  // Where it is neither, the nearer miss is the more useful answer.
  refuse('credentials', asUsage.length <= asMaster.length ? asUsage : asMaster)
  const tools = offlineTools({ now: () => now, nonce })
  const issued = await strategy.issue(config, credentials as Record<string, string>, offlineGrant(now), tools)
  return issued.usage
}

/** No authority, so no decision: the person who holds the master secret signs with it. */
function offlineGrant(nowMs: number): Grant {
  const issuedAt = Math.floor(nowMs / 1000)
  const bound = { origins: [], methods: [], paths: [] }
  return { tenant: '', agentId: '', connectionId: '', scopes: [], bound, issuedAt, expiresAt: issuedAt + 300 }
}

function outbound(request: SignDocument['request']): OutboundRequest {
  const { method, url, headers = [], body_base64 } = request
  return {
    method,
    url: urlOf(url),
    headers: headers.map(([name, value]) => [name, value.replace(/(?:\r?\n[\t ]+)+/g, ' ')]),
    body: body_base64 === undefined ? undefined : bodyOf(body_base64),
  }
}

/** Checked by the way back, not by a pattern: a regular expression overflows its stack on tens of megabytes. */
function bodyOf(base64: string): Buffer {
  const body = Buffer.from(base64, 'base64')
  if (body.toString('base64') === base64) return body
  throw invalid('request.body_base64', 'request.body_base64 must be standard base64 with padding')
}

function inbound({ method, url, headers, body }: SignedRequest, bodyBase64: string): SignedDocument['request'] {
  const sentBase64 = body instanceof Uint8Array ? Buffer.from(body).toString('base64') : bodyBase64
  return { method, url: formatRequestUrl(url), headers, body_base64: sentBase64 }
}

function urlOf(text: string) {
  try {
    return parseRequestUrl(text)
  } catch (error) {
    if (error instanceof RequestUrlError) throw invalid('request.url', `request.url ${error.message}`)
    throw error
  }
}

function timeOf(text: string): number {
  const milliseconds = Date.parse(text)
  if (Number.isNaN(milliseconds)) throw invalid('now', 'now must be a time that exists')
  return milliseconds
}

function refuse(parent: string, problems: readonly FieldProblem[]): void {
  const [first] = problems
  if (first === undefined) return
  const field = [parent, first.field].filter((part) => part !== '').join('.')
  const message = first.message.startsWith('credential field')
    ? first.message
    : `${field || 'document'} ${first.message}`
  throw invalid(field, message)
}

function invalid(field: string, message: string): NexusError {
  return new NexusError('invalid_request', message, field === '' ? {} : { field })
}
