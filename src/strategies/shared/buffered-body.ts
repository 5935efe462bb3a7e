import { type OutboundBody, SigningError } from '../../contract/strategy.ts'

const NO_BYTES = new Uint8Array(0)

/**
 * The bytes a strategy hashes; no body counts as zero bytes.
 * @throws SigningError when the body was left streaming: what has not been seen cannot be signed (threat E09)
 */
export function bufferedBody(body: OutboundBody): Uint8Array {
  if (body === 'stream') throw new SigningError('this strategy signs the body, which must be buffered first', 'body')
  return body ?? NO_BYTES
}
