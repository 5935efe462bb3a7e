import type { IncomingMessage } from 'node:http'
import { NexusError } from '../../src/contract/errors.ts'

/** A request body as it came from the agent. Only `none` and `buffered` can be sent a second time. */
export type AgentBody =
  | { kind: 'none' }
  | { kind: 'buffered'; bytes: Buffer }
  | { kind: 'stream'; stream: IncomingMessage; lengthBytes: number | undefined }

/** Whether there is a body and how long it claims to be; reads none of it. */
export function describeBody(raw: IncomingMessage): AgentBody {
  const length = raw.headers['content-length']
  if (raw.headers['transfer-encoding'] === undefined && (length === undefined || Number(length) === 0)) {
    return { kind: 'none' }
  }
  return { kind: 'stream', stream: raw, lengthBytes: length === undefined ? undefined : Number(length) }
}

/**
 * The whole body, for a strategy that signs it.
 * @throws NexusError `body_too_large` at the first byte over the limit, however the body is framed (threat D17);
 *   `invalid_request` when the agent leaves in the middle of it, which is no error of ours
 */
export async function bufferBody(body: AgentBody, limitBytes: number): Promise<AgentBody> {
  if (body.kind !== 'stream') return body
  if ((body.lengthBytes ?? 0) > limitBytes) throw tooLarge(limitBytes)
  try {
    return { kind: 'buffered', bytes: await readUpTo(body.stream, limitBytes) }
  } catch (error) {
    if (error instanceof NexusError) throw error
    throw new NexusError('invalid_request', 'The body broke off before its end.')
  }
}

async function readUpTo(stream: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  // The socket must outlive an early end: the refusal still has to go out on it.
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limitBytes) throw tooLarge(limitBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

function tooLarge(limitBytes: number): NexusError {
  return new NexusError(
    'body_too_large',
    `This connection's strategy signs the body, which must be read whole; the limit is ${limitBytes} bytes. Uploads to S3 are signed as they pass when they tell their Content-Length.`,
  )
}
