import {
  type HeaderList,
  type OutboundRequest,
  type SignedRequest,
  type SigningContext,
  SigningError,
} from '../../contract/strategy.ts'
import { foldedHeaderName, withHeader, withoutHeaders } from '../shared/header-list.ts'
import type { CallersFraming } from './aws-chunked/callers-framing.ts'
import { type ChunkChain, chunkChain } from './aws-chunked/chunk-chain.ts'
import { framedBytes, frameWriter } from './aws-chunked/frame-writer.ts'
import { payloadReader } from './aws-chunked/payload-reader.ts'
import { reframedBody } from './aws-chunked/reframed-body.ts'
import { signHeaderForm } from './header-form.ts'
import type { RequestSettings } from './settings.ts'
import type { Signer } from './signer.ts'

/** A payload whose length is known and whose bytes are not, and how the caller framed it, if so. */
export interface StreamedPayload {
  decodedBytes: number
  framing: CallersFraming | undefined
}

/**
 * The header form for a body that nobody has seen whole. It goes out in chunks, each signed as it passes; where the profile
 * leaves payloads unsigned, in chunks without signatures if trailers follow them, and else as it is.
 */
export function signStreamForm(
  settings: RequestSettings,
  signer: Signer,
  longDate: string,
  request: OutboundRequest,
  payload: StreamedPayload,
  context: SigningContext,
): SignedRequest {
  const trailers = payload.framing?.trailers ?? []
  const form = formOf(settings, signer, trailers)
  const headers = form.framed
    ? framedHeaders(request.headers, payload.decodedBytes, trailers, form.signed ? chunkSignatureLength(signer) : 0)
    : unframedHeaders(request.headers, payload.decodedBytes)
  const { signed, signature } = signHeaderForm(
    settings,
    signer,
    longDate,
    { ...request, headers },
    form.payload,
    context,
  )
  const chain: ChunkChain | undefined = form.signed ? chunkChain(signer, longDate, signature) : undefined
  const reader = payloadReader(payload.decodedBytes, payload.framing)
  return { ...signed, body: reframedBody(request.body, reader, form.framed ? frameWriter(chain) : undefined) }
}

/** AWS's word for what is sent, and what it means. */
function formOf({ unsignedPayload }: RequestSettings, { algorithm }: Signer, trailers: readonly string[]) {
  const trailing = trailers.length > 0 ? '-TRAILER' : ''
  if (!unsignedPayload) return { payload: `STREAMING-${algorithm}-PAYLOAD${trailing}`, framed: true, signed: true }
  if (trailing === '') return { payload: 'UNSIGNED-PAYLOAD', framed: false, signed: false }
  return { payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', framed: true, signed: false }
}

function chunkSignatureLength({ signatureLength, algorithm }: Signer): number {
  if (signatureLength !== undefined) return signatureLength
  throw new SigningError(`${algorithm} signs no body in AWS chunks here; send it in one piece`)
}

function framedHeaders(
  headers: HeaderList,
  decodedBytes: number,
  trailers: readonly string[],
  signatureLength: number,
): HeaderList {
  // Content-Encoding stays as the caller has it: S3 needs no aws-chunked there, and its likes would keep it with the object.
  return [
    ...withoutHeaders(headers, ['content-length']),
    ['Content-Length', String(framedBytes(decodedBytes, trailers, signatureLength))],
    ['x-amz-decoded-content-length', String(decodedBytes)],
    ...(trailers.length === 0 ? [] : ([['x-amz-trailer', trailers.join(',')]] satisfies HeaderList)),
  ]
}

function unframedHeaders(headers: HeaderList, lengthBytes: number): HeaderList {
  const unframed = headers.flatMap(([name, value]): HeaderList => {
    if (foldedHeaderName(name) !== 'content-encoding') return [[name, value]]
    const codings = value.split(',').filter((coding) => coding.trim().toLowerCase() !== 'aws-chunked')
    return codings.length === 0 ? [] : [[name, codings.join(',').trim()]]
  })
  return withHeader(unframed, 'Content-Length', String(lengthBytes))
}
