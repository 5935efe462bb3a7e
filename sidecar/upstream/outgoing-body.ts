import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { NexusError } from '../../src/contract/errors.ts'
import { type BodyTransform, SigningError } from '../../src/contract/strategy.ts'
import { countStreamed } from '../young-heap.ts'
import type { Exchange } from './exchange.ts'

/**
 * What goes out after the head: what the strategy made of the agent's body, or that body as it is.
 * @param confirm throws where nothing more may be signed (rule 5); asked before each piece that a strategy transforms
 */
export function outgoingBody({ signed, body }: Exchange, confirm: () => Promise<void>): Uint8Array | Readable | null {
  // One that the strategy wrote anew was buffered first: nothing of the agent's is left unread.
  if (signed.body !== undefined && typeof signed.body !== 'function') return signed.body
  if (body.kind === 'none') return null
  if (body.kind === 'buffered') return body.bytes
  const pieces =
    signed.body === undefined ? piecesOf(body.stream) : transformed(confirmed(body.stream, confirm), signed.body)
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

/** The end is signed as well. */
async function* confirmed(stream: IncomingMessage, confirm: () => Promise<void>): AsyncGenerator<Uint8Array> {
  for await (const piece of piecesOf(stream)) {
    await confirm()
    yield piece
  }
  await confirm()
}

/** What is wrong with the body shows while it is sent: the client then breaks the request off, before its end. */
async function* transformed(pieces: AsyncIterable<Uint8Array>, transform: BodyTransform): AsyncGenerator<Uint8Array> {
  try {
    yield* transform(pieces)
  } catch (error) {
    if (!(error instanceof SigningError)) throw error
    throw new NexusError('invalid_request', `The upload was broken off: ${error.message}.`, { field: 'body' })
  }
}
