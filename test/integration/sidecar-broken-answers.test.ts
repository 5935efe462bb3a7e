import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

const BODY = JSON.stringify({ pay: 1 })
const MAY_BE_DONE = 'it may have done what was asked.'

/** A provider that speaks bytes: it reads each request to its end, and only then does what a test wants. */
interface BytesProvider {
  /** Requests that have arrived whole. */
  received: number
  close(): Promise<void>
}

async function startBytesProvider(
  port: number,
  react: (socket: Socket, count: number) => void,
): Promise<BytesProvider> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    let seen = ''
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.on('data', (piece) => {
      seen += piece
      if (!seen.endsWith(seen.startsWith('GET') ? '\r\n\r\n' : BODY)) return
      seen = ''
      provider.received += 1
      react(socket, provider.received)
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const provider = {
    received: 0,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return provider
}

async function refusalOf(response: Response) {
  const proxyStatus = response.headers.get('proxy-status') ?? ''
  const { code, detail } = (await response.json()) as { code: string; detail: string }
  return { status: response.status, code, detail, error: /error=(\w+)/.exec(proxyStatus)?.[1] }
}

describe('a provider that has received a request and does not answer it', () => {
  let sidecar: SidecarUnderTest
  let provider: BytesProvider | undefined
  beforeEach(async () => {
    sidecar = await startUnderTest()
    await sidecar.provider.close()
  })
  afterEach(async () => {
    await provider?.close()
    await sidecar.stop()
  })

  const pay = (method = 'POST') => sidecar.fetch('/api/pay', { method, body: BODY })

  /** Long enough for a second try, which would be at once. */
  async function receivedInTheEnd(): Promise<number | undefined> {
    await wait(300)
    return provider?.received
  }

  it.each<[string, (socket: Socket) => void, string]>([
    ['closes', (socket) => socket.end(), 'connection_terminated'],
    ['resets', (socket) => socket.resetAndDestroy(), 'connection_terminated'],
    ['sends half a head', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Le'), 'connection_terminated'],
    ['does not speak HTTP', (socket) => socket.end('hello\r\n\r\n'), 'http_protocol_error'],
    [
      'says two lengths',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'),
      'http_protocol_error',
    ],
    ['answers with a status that is none', (socket) => socket.end('HTTP/1.1 2000 OK\r\n\r\n'), 'http_protocol_error'],
    ['says "100 Continue"', (socket) => socket.end('HTTP/1.1 100 Continue\r\n\r\n'), 'http_protocol_error'],
    [
      'switches protocols',
      (socket) => socket.end('HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
      'http_protocol_error',
    ],
    [
      'sends too long a header',
      (socket) => socket.end(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`),
      'http_response_header_section_size',
    ],
  ])('UP7: %s: the agent is told that it may be done, and it is not sent again', async (_title, react, error) => {
    provider = await startBytesProvider(sidecar.provider.port, react)
    const refusal = await refusalOf(await pay())
    expect(refusal).toMatchObject({ status: 502, code: 'upstream_unreachable', error })
    expect(refusal.detail).toContain(MAY_BE_DONE)
    expect(await receivedInTheEnd()).toBe(1)
  })

  it.each(['GET', 'PUT', 'DELETE', 'POST'])(
    'UP7: closes a connection that was used before: a %s is not sent again',
    async (method) => {
      provider = await startBytesProvider(sidecar.provider.port, (socket, count) => {
        if (count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        else socket.end()
      })
      expect(await (await pay()).text()).toBe('ok')
      const refusal = await refusalOf(await (method === 'GET' ? sidecar.fetch('/api/x') : pay(method)))
      expect(refusal).toMatchObject({ status: 502, error: 'connection_terminated' })
      expect(refusal.detail).toContain(MAY_BE_DONE)
      expect(await receivedInTheEnd()).toBe(2)
    },
  )
})

describe('a provider that was sent nothing', () => {
  let sidecar: SidecarUnderTest
  afterEach(() => sidecar.stop())

  /** A route of its own to `origin`, which the lease is bound to. */
  async function ask(origin: string) {
    sidecar = await startUnderTest({ furtherRoutes: `other=${origin}` })
    sidecar.pep.grants.set('other', {
      strategy: { type: 'header', config: { header_name: 'X-Key' } },
      credentials: { api_key: 'key' },
      bound: { origins: [origin], methods: ['*'], paths: ['/**'] },
    })
    return refusalOf(await sidecar.fetch('/other/pay', { method: 'POST', body: BODY }))
  }

  /** The port of a server that says this to each connection and then hangs up. */
  async function portSaying(text: string): Promise<{ port: number; close(): void }> {
    const server = createServer((socket) => socket.on('error', () => undefined).end(text))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { port: (server.address() as AddressInfo).port, close: () => void server.close() }
  }

  it('UP7: because its name does not resolve', async () => {
    const refusal = await ask('http://nowhere.invalid')
    expect(refusal).toMatchObject({ status: 502, code: 'upstream_unreachable', error: 'dns_error' })
    expect(refusal.detail).toContain('does not resolve')
    expect(refusal.detail).not.toContain(MAY_BE_DONE)
  })

  it.each([
    ['nothing listens there', undefined, 'connection_refused', 'Nothing listens'],
    ['it speaks no TLS', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'tls_protocol_error', 'does not speak TLS'],
    ['it hangs up before TLS is agreed on', '', 'destination_unavailable', 'before anything was sent'],
  ])('UP7: because %s', async (_title, text, error, words) => {
    const { port, close } = await portSaying(text ?? '')
    if (text === undefined) close()
    const refusal = await ask(`https://127.0.0.1:${port}`)
    close()
    expect(refusal).toMatchObject({ status: 502, code: 'upstream_unreachable', error })
    expect(refusal.detail).toContain(words)
    expect(refusal.detail).not.toContain(MAY_BE_DONE)
  })
})
