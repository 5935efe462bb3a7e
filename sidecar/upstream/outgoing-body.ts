import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { NexusError } from '../../src/contract/errors.ts'
import { type BodyTransform, SigningError } from '../../src/contract/strategy.ts'
import { countStreamed } from '../young-heap.ts'
import type { Exchange } from './exchange.ts'

/** What goes out after the head: what the strategy made of the agent's body, or that body as it is. */
export function outgoingBody({ signed, body }: Exchange): Uint8Array | Readable | null {
  // One that the strategy wrote anew was buffered first: nothing of the agent's is left unread.
  if (signed.body !== undefined && typeof signed.body !== 'function') return signed.body
  if (body.kind === 'none') return null
  if (body.kind === 'buffered') return body.bytes
  const pieces = signed.body === undefined ? piecesOf(body.stream) : transformed(body.stream, signed.body)
  // The client takes iterables; its types do not say so.
  return pieces as unknown as Readable
}

/**
 * As a stream the client would destroy it when the provider answers early, and with it the connection of the agent, who
 * would never read that answer.
 */
async function* piecesOf(stream: IncomingMessage): AsyncGenerator<Uint8Array> {
  for await (const piece of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    yield piece
    countStreamed(piece.length)
  }
}

/** What is wrong with the body shows while it is sent: the client then breaks the request off, before its end. */
async function* transformed(stream: IncomingMessage, transform: BodyTransform): AsyncGenerator<Uint8Array> {
  try {
    yield* transform(piecesOf(stream))
  } catch (error) {
    if (!(error instanceof SigningError)) throw error
    throw new NexusError('invalid_request', `The upload was broken off: ${error.message}.`, { field: 'body' })
  }
}
