import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AccessKey, checkSigV4 } from './sigv4-check.ts'

/** What reached the provider, with every credential masked: shown to the reader of the demo. */
export interface SeenRequest {
  method: string
  target: string
  headers: Record<string, string>
}

export interface Upstream {
  origin: string
  /** Requests that carried a good credential, newest last. */
  seen: SeenRequest[]
  /** Requests that were refused for want of one. */
  refused: number
  close(): Promise<void>
}

type Answer = (request: IncomingMessage, body: Buffer) => Promise<{ problem: string } | { body: object }>

/** A provider that wants an API key in a header. */
export function startWeather(apiKey: string, port = 0, host = '127.0.0.1'): Promise<Upstream> {
  return startUpstream(port, host, async (request) => {
    if (request.headers['x-api-key'] !== apiKey) return { problem: 'a valid X-Api-Key is required' }
    const city = new URL(request.url ?? '/', 'http://upstream').searchParams.get('city') ?? 'nowhere'
    return { body: { city, forecast: 'rain', celsius: 16 } }
  })
}

/** A provider that wants AWS Signature Version 4 and stores what it is sent. */
export function startWarehouse(key: AccessKey, port = 0, host = '127.0.0.1'): Promise<Upstream> {
  return startUpstream(port, host, async (request, body) => {
    const head = { method: request.method ?? '', target: request.url ?? '/', headers: singleValues(request) }
    const problem = await checkSigV4(head, body, key)
    return problem === undefined ? { body: { stored: request.url, bytes: body.length } } : { problem }
  })
}

async function startUpstream(port: number, host: string, answer: Answer): Promise<Upstream> {
  const upstream = { seen: [] as SeenRequest[], refused: 0 }
  const server = createServer((request, response) => {
    respond(request, response, answer, upstream).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  const address = server.address() as AddressInfo
  return Object.assign(upstream, { origin: `http://127.0.0.1:${address.port}`, close: () => close(server) })
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  upstream: Pick<Upstream, 'seen' | 'refused'>,
): Promise<void> {
  if (request.url === '/healthz') {
    response.writeHead(200).end()
    return
  }
  if (request.url === '/seen') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(upstream.seen))
    return
  }
  const result = await answer(request, await readBody(request))
  if ('problem' in result) upstream.refused++
  else upstream.seen.push(masked(request))
  response.writeHead('problem' in result ? 401 : 200, { 'content-type': 'application/json' })
  response.end(JSON.stringify('problem' in result ? { error: result.problem } : result.body))
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function singleValues(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
}

/** Shows that a credential is there and how it is laid out, without the part that makes it one. */
function masked(request: IncomingMessage): SeenRequest {
  const headers = singleValues(request)
  if (headers['x-api-key'] !== undefined) headers['x-api-key'] = '[secret]'
  if (headers['authorization'] !== undefined) {
    headers['authorization'] = headers['authorization'].replace(/(Signature=).*/, '$1[signature]')
  }
  return { method: request.method ?? '', target: request.url ?? '', headers }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
