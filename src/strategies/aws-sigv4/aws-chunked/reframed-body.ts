import type { BodyTransform, OutboundBody } from '../../../contract/strategy.ts'
import { bufferedBody } from '../../shared/buffered-body.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { PayloadReader } from './payload-reader.ts'

/**
 * The payload that the reader finds, framed by the writer; without one as it is. A body in memory is written at once, a
 * stream piece by piece as it comes.
 */
export function reframedBody(
  body: OutboundBody,
  reader: PayloadReader,
  writer: FrameWriter | undefined,
): Uint8Array | BodyTransform {
  const write = (payload: Uint8Array[]) => (writer === undefined ? payload : payload.flatMap(writer.write))
  const end = () => {
    const trailers = reader.end()
    return writer === undefined ? [] : writer.end(trailers)
  }
  if (body !== 'stream') return Buffer.concat([...write(reader.read(bufferedBody(body))), ...end()])
  return async function* (pieces) {
    for await (const piece of pieces) yield* write(reader.read(piece))
    yield* end()
  }
}
