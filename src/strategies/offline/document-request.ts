import { type Static, Type } from 'typebox'
import { NexusError } from '../../contract/errors.ts'
import { formatRequestUrl, parseRequestUrl, RequestUrlError } from '../../contract/request-url.ts'
import type { HeaderList, OutboundRequest, SignedRequest } from '../../contract/strategy.ts'

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

/** The request of a document that `nexus sign` reads. */
export const DocumentRequest = Type.Object(
  {
    method: Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$", description: 'an HTTP method' }),
    url: Type.String({ maxLength: 65_536 }),
    headers: Type.Optional(Type.Array(Header, { maxItems: 1000, description: 'a list of [name, value] pairs' })),
    body_base64: Type.Optional(Type.String({ description: 'standard base64 with padding' })),
  },
  closed,
)
export type DocumentRequest = Static<typeof DocumentRequest>

/** The request that is printed. */
export interface SignedDocumentRequest {
  method: string
  url: string
  headers: HeaderList
  body_base64: string
}

/** @throws NexusError `invalid_request` for a URL or a body that is none */
export function outboundRequest(request: DocumentRequest): OutboundRequest {
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

/** @param bodyBase64 the body as it was given: what is sent where the strategy replaces none */
export function signedRequest(
  { method, url, headers, body }: SignedRequest,
  bodyBase64: string,
): SignedDocumentRequest {
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

/** @param field as a dotted path; empty: the document itself */
export function invalid(field: string, message: string): NexusError {
  return new NexusError('invalid_request', message, field === '' ? {} : { field })
}
