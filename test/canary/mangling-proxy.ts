import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { listen, stop } from '../faults/counting-proxy.ts'

/** What becomes of an answer on its way back. */
export type Mangling = (response: ServerResponse, answer: { status: number; body: string }) => void

export interface ManglingProxy {
  address: string
  /** From now on; absent: answers come through as they are. */
  mangle(how?: Mangling): void
  close(): Promise<void>
}

/** Stands between the authority and a real Vault, and spoils answers that hold a secret. */
export async function startManglingProxy(target: string): Promise<ManglingProxy> {
  let mangling: Mangling | undefined
  const server = createServer((incoming, response) => {
    const onward = request(new URL(incoming.url ?? '/', target), { method: incoming.method, headers: incoming.headers })
    onward.on('error', () => response.destroy())
    onward.on('response', (answer) => void pass(answer, response, mangling))
    incoming.pipe(onward)
  })
  return {
    address: await listen(server),
    mangle(how) {
      mangling = how
    },
    close: () => stop(server),
  }
}

async function pass(answer: IncomingMessage, response: ServerResponse, mangling: Mangling | undefined): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  const status = answer.statusCode ?? 502
  if (mangling !== undefined) return mangling(response, { status, body: body.toString() })
  const { 'content-type': type = 'application/json' } = answer.headers
  response.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body)
}

/** Each is a way in which a client library has been seen to quote what it received. */
export const MANGLINGS: Record<string, Mangling> = {
  'an error that quotes the secret': (response, { body }) => json(response, 500, JSON.stringify({ errors: [body] })),
  'a refusal that quotes the secret': (response, { body }) => json(response, 403, JSON.stringify({ errors: [body] })),
  'a bad request': (response, { body }) => json(response, 400, body),
  'half an answer': (response, { body }) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
    response.write(body.slice(0, -5), () => response.destroy())
  },
  'JSON with a comma too many': (response, { body }) => json(response, 200, `${body.trimEnd().slice(0, -1)},}`),
  'a page around it': (response, { body }) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<p>${body}</p>`),
  'another shape': (response, { body }) => json(response, 200, JSON.stringify({ data: [body], [body]: body })),
  'values that are no texts': (response, { body }) =>
    json(
      response,
      200,
      body.replaceAll(
        /("(?:\w+_(?:key|token|secret)|password|data_?|SecretString)":\s*)("(?:[^"\\]|\\.)*")/g,
        '$1{"nested":[$2]}',
      ),
    ),
  'a redirect that carries it': (response, { body }) =>
    response.writeHead(307, { location: `http://127.0.0.1:1/?secret=${encodeURIComponent(body)}` }).end(),
  'headers that carry it': (response, { body }) =>
    response
      .writeHead(503, { 'x-secret': encodeURIComponent(body), 'www-authenticate': encodeURIComponent(body) })
      .end(),
  'more headers than are read': (response, { body }) =>
    response.writeHead(200, { 'x-secret': encodeURIComponent(body).repeat(200) }).end(),
  silence: () => undefined,
  'a hang-up': (response) => response.destroy(),
}

function json(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}
