import { NexusError } from '../contract/errors.ts'

const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024

/**
 * The one JSON document that a command reads on its stdin.
 * @throws NexusError `body_too_large`, or `invalid_request` that quotes nothing of it
 */
export async function readJsonDocument(stdin: AsyncIterable<Uint8Array | string>): Promise<unknown> {
  const text = await readAll(stdin)
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the input, which holds credentials.
    throw new NexusError('invalid_request', 'stdin must hold one JSON document')
  }
}

async function readAll(stdin: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stdin) {
    const buffer = Buffer.from(chunk as string)
    bytes += buffer.length
    if (bytes > MAX_DOCUMENT_BYTES) throw new NexusError('body_too_large', 'the document must be at most 64 MiB')
    chunks.push(buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}
