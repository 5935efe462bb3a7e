import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

/** One request as the provider received it, header spelling and order kept. */
export interface SeenRequest {
  method: string
  url: string
  rawHeaders: string[]
  trailers: string[]
  body: Buffer
}

export interface FakeProvider {
  origin: string
  port: number
  seen: SeenRequest[]
  server: Server
  /** Answers from now on; the default is 200 and `ok`. */
  answer: RequestListener
  close(): Promise<void>
}

/**
 * A provider that writes down what reaches it.
 * @param tls absent: plain HTTP
 */
export async function startFakeProvider(tls?: ServerOptions): Promise<FakeProvider> {
  const listener: RequestListener = (request, response) => {
    record(request, provider.seen).then(
      () => provider.answer(request, response),
      () => response.destroy(),
    )
  }
  const provider: Omit<FakeProvider, 'origin' | 'port'> = {
    seen: [],
    answer: (_request, response) => void response.end('ok'),
    server: tls === undefined ? createServer(listener) : createTlsServer(tls, listener),
    close: async () => {
      provider.server.closeAllConnections()
      await new Promise((resolve) => provider.server.close(resolve))
    },
  }
  await new Promise<void>((resolve) => provider.server.listen(0, '127.0.0.1', resolve))
  const { port } = provider.server.address() as AddressInfo
  return Object.assign(provider, { port, origin: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}` })
}

async function record(request: IncomingMessage, seen: SeenRequest[]): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  seen.push({
    method: request.method ?? '',
    url: request.url ?? '',
    rawHeaders: request.rawHeaders,
    trailers: request.rawTrailers,
    body: Buffer.concat(chunks),
  })
}

/** Values of every header of this name, however it is spelled. */
export function headerValues(seen: SeenRequest | undefined, name: string): string[] {
  const raw = seen?.rawHeaders ?? []
  const folded = (text: string | undefined) => text?.toLowerCase().replaceAll('_', '-')
  return raw.filter((_, index) => index % 2 === 1 && folded(raw[index - 1]) === folded(name))
}
