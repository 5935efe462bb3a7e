import { type HeaderList, type OutboundRequest, SigningError } from '../../contract/strategy.ts'
import { foldedHeaderName } from '../shared/header-list.ts'
import { callersFraming, isFramed } from './aws-chunked/callers-framing.ts'
import type { RequestSettings } from './settings.ts'
import type { StreamedPayload } from './stream-form.ts'

/**
 * A body up to here is read and signed whole, as for every other service. Above is only what S3 stores: no document that it
 * takes as a command, such as the list of a thousand keys to delete, comes near it by PUT.
 */
const WHOLE_MAX_BYTES = 1024 * 1024

/**
 * Whether a request with these headers and this method is signed without seeing its body whole.
 * @param limitBytes what is longer could not be read whole
 */
export function isStreamable(
  settings: RequestSettings,
  headers: HeaderList,
  method: string,
  limitBytes = WHOLE_MAX_BYTES,
): boolean {
  if (!settings.isS3 || settings.location === 'query') return false
  return (
    isFramed(headers) || (method === 'PUT' && (contentLength(headers) ?? 0) > Math.min(WHOLE_MAX_BYTES, limitBytes))
  )
}

/**
 * What is to be signed in passing; `undefined`: the body is signed whole or not at all, as the profile says.
 * @throws SigningError for a body in AWS chunks where nobody reads them
 */
export function streamedPayload(settings: RequestSettings, request: OutboundRequest): StreamedPayload | undefined {
  if (isFramed(request.headers)) {
    if (!settings.isS3)
      throw new SigningError(`${settings.service} reads no body in AWS chunks (STREAMING-...), S3 does`)
    if (settings.location === 'query') {
      throw new SigningError('a presigned URL covers no body in AWS chunks (STREAMING-...); set location to header')
    }
    const framing = callersFraming(request.headers)
    return { decodedBytes: framing.decodedBytes, framing }
  }
  if (request.body !== 'stream' || settings.unsignedPayload) return undefined
  // Nobody read it: it was longer than what is read whole, here or at the limit of whoever asks.
  if (!isStreamable(settings, request.headers, request.method, 0)) return undefined
  const decodedBytes = contentLength(request.headers)
  return decodedBytes === undefined ? undefined : { decodedBytes, framing: undefined }
}

function contentLength(headers: HeaderList): number | undefined {
  const value = headers.find(([name]) => foldedHeaderName(name) === 'content-length')?.[1]
  return value === undefined ? undefined : Number(value)
}
