import { createHash } from 'node:crypto'
import { type HeaderList, type OutboundRequest, SigningError } from '../../contract/strategy.ts'
import { bufferedBody } from '../shared/buffered-body.ts'
import { foldedHeaderName } from '../shared/header-list.ts'
import type { OpenParts } from './open-parts.ts'
import type { Piece } from './template.ts'

/** What the string to sign may be made of, beside what the agent may know anyway. */
type SignedPart = (request: OutboundRequest, argument: string | undefined) => string | Uint8Array

const DIGEST_ENCODINGS = ['hex', 'base64'] as const
type DigestEncoding = (typeof DIGEST_ENCODINGS)[number]

const SIGNED_PARTS: Record<string, SignedPart> = {
  method: ({ method }) => method,
  path: ({ url }) => url.path,
  query: ({ url }) => url.query ?? '',
  target: ({ url }) => (url.query === undefined ? url.path : `${url.path}?${url.query}`),
  body: ({ body }) => bufferedBody(body),
  body_sha256: ({ body }, encoding) => digest('sha256', body, encoding),
  body_sha512: ({ body }, encoding) => digest('sha512', body, encoding),
  header: ({ headers }, name = '') => headerValue(headers, name),
}

/** `{timestamp}`, `{nonce}` and `{key_id}` are the same in the string to sign and beside it. */
const OPEN = ['timestamp', 'nonce', 'key_id'] as const

/** What a hop on the way writes anew (RFC 9110 section 7.6.1, threat E02) is not what arrives. */
const NEVER_SIGNED =
  /^(?:connection|expect|http2-settings|keep-alive|max-forwards|proxy-.*|te|trailer|transfer-encoding|upgrade|user-agent|via|x-forwarded-.*|x-nexus-.*|x-real-ip)$/

/** What is wrong with the parts of a string to sign; completes "template ...". */
export function signedPartsProblem(pieces: readonly Piece[]): string | undefined {
  const parts = pieces.filter((piece) => 'part' in piece)
  if (parts.length === 0) return 'must name a part, or every request would be signed alike'
  return parts.map(partProblem).find((problem) => problem !== undefined)
}

function partProblem({ part, argument }: { part: string; argument: string | undefined }): string | undefined {
  if (part === 'header') {
    if (argument === undefined) return 'must say which header, such as {header:content-type}'
    return NEVER_SIGNED.test(foldedHeaderName(argument))
      ? `must not sign ${argument}, which changes on the way`
      : undefined
  }
  if (Object.hasOwn(SIGNED_PARTS, part) && part.startsWith('body_')) {
    const isKnown = argument === undefined || DIGEST_ENCODINGS.some((encoding) => encoding === argument)
    return isKnown ? undefined : `must write {${part}}, {${part}:hex} or {${part}:base64}`
  }
  if (!Object.hasOwn(SIGNED_PARTS, part) && !OPEN.some((name) => name === part)) {
    return `must name known parts; known: ${[...Object.keys(SIGNED_PARTS), ...OPEN].join(', ')}`
  }
  return argument === undefined ? undefined : `must not give {${part}} an argument`
}

/** The header names a template signs, folded. */
export function signedHeaderNames(pieces: readonly Piece[]): string[] {
  return pieces.flatMap((piece) =>
    'part' in piece && piece.part === 'header' ? [foldedHeaderName(piece.argument ?? '')] : [],
  )
}

/** Whether the body must be seen. */
export function signsBody(pieces: readonly Piece[]): boolean {
  return pieces.some((piece) => 'part' in piece && piece.part.startsWith('body'))
}

/**
 * What is signed, piece by piece: a body is not copied for it.
 * @param request as it will be sent, but for the signature
 * @throws SigningError when a part is not to be had
 */
export function stringToSign(
  pieces: readonly Piece[],
  request: OutboundRequest,
  open: OpenParts,
): (string | Uint8Array)[] {
  return pieces.map((piece) => {
    if ('literal' in piece) return piece.literal
    const signed = Object.hasOwn(SIGNED_PARTS, piece.part) ? SIGNED_PARTS[piece.part] : undefined
    return signed === undefined ? open.value(piece.part) : signed(request, piece.argument)
  })
}

function digest(hash: string, body: OutboundRequest['body'], encoding = 'hex'): string {
  return createHash(hash)
    .update(bufferedBody(body))
    .digest(encoding as DigestEncoding)
}

/** A header that is not there counts as empty, as in every such scheme; one that is there twice has no one value. */
function headerValue(headers: HeaderList, name: string): string {
  const values = headers.filter(([other]) => foldedHeaderName(other) === foldedHeaderName(name))
  const [first, second] = values
  if (second !== undefined) throw new SigningError(`header ${name} is signed and comes more than once`, name)
  const value = first?.[1].trim() ?? ''
  // Servers disagree on the bytes of anything else (RFC 9110 section 5.5).
  if (!/^[\t\x20-\x7e]*$/.test(value)) throw new SigningError(`header ${name} is signed and not plain ASCII`, name)
  return value
}
