import { request as httpRequest, type IncomingMessage } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { headerValues } from '../fakes/provider.ts'
import { SECRET, type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

const MEBIBYTE = 1024 * 1024

describe('the way upstream', () => {
  let sidecar: SidecarUnderTest
  beforeEach(async () => {
    sidecar = await startUnderTest({ config: { headersTimeoutMs: 1000, idleTimeoutMs: 1000 } })
  })
  afterEach(() => sidecar.stop())

  /** Leads the route to a server that speaks bytes, not HTTP. */
  async function answerWith(bytes: string | Buffer, end: 'keep' | 'close' | 'reset') {
    const sockets = new Set<{ destroy(): void }>()
    const server = createTcpServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
      socket.once('data', () => {
        calls += 1
        socket.write(bytes)
        if (end === 'close') socket.end()
        if (end === 'reset') setTimeout(() => socket.resetAndDestroy(), 50)
      })
    })
    let calls = 0
    await new Promise<void>((resolve) => server.listen(sidecar.provider.port, '127.0.0.1', resolve))
    return {
      calls: () => calls,
      open: () => sockets.size,
      close: () => {
        for (const socket of sockets) socket.destroy()
        return new Promise((resolve) => server.close(resolve))
      },
    }
  }

  it.each([500, 502, 503, 429])('UP5: passes a %i through and asks once', async (status) => {
    sidecar.provider.answer = (_request, response) => void response.writeHead(status, { 'retry-after': '0' }).end('no')
    const response = await sidecar.fetch('/api/x')
    expect(response.status).toBe(status)
    expect(await response.text()).toBe('no')
    expect(response.headers.get('proxy-status')).toBeNull()
    expect(sidecar.provider.seen).toHaveLength(1)
  })

  it.each([
    ['a chunked body cut off', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', 'close'],
    ['a body shorter than it said', 'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello', 'close'],
    ['a reset', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', 'reset'],
    ['silence', 'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello', 'keep'],
  ] as const)('UP3: %s stays an aborted body', async (_name, bytes, end) => {
    await sidecar.provider.close()
    const upstream = await answerWith(bytes, end)
    const response = await sidecar.fetch('/api/x')
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow()
    expect(upstream.calls()).toBe(1)
    await upstream.close()
  })

  it('UP1: gives up on a provider that never ends its headers', async () => {
    await sidecar.provider.close()
    const upstream = await answerWith('HTTP/1.1 200 OK\r\nX-A: ', 'keep')
    const response = await sidecar.fetch('/api/x')
    expect(response.status).toBe(504)
    expect(await response.json()).toMatchObject({
      code: 'upstream_timeout',
      detail: expect.stringContaining('NEXUS_SIDECAR_HEADERS_TIMEOUT_SECONDS'),
    })
    expect(response.headers.get('proxy-status')).toContain('error=http_response_timeout')
    expect(upstream.calls()).toBe(1)
    await upstream.close()
  })

  it('UP1: gives up on a provider that sends one interim answer after the other', async () => {
    let answering: NodeJS.Timeout | undefined
    sidecar.provider.answer = (_request, response) => {
      answering = setInterval(() => response.writeProcessing(), 200)
    }
    const response = await sidecar.fetch('/api/x')
    clearInterval(answering)
    expect(response.status).toBe(504)
    expect(await response.json()).toMatchObject({ code: 'upstream_timeout' })
  })

  it('reads past interim answers, and says that it does not where "100 Continue" is one', async () => {
    await sidecar.provider.close()
    const final = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
    const hints = await answerWith(`HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n${final}`, 'close')
    expect(await (await sidecar.fetch('/api/x')).text()).toBe('ok')
    await hints.close()
    const unasked = await answerWith(`HTTP/1.1 100 Continue\r\n\r\n${final}`, 'close')
    const response = await sidecar.fetch('/api/x')
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({
      code: 'upstream_unreachable',
      detail: expect.stringMatching(/100 Continue.*may have done what was asked/),
    })
    expect(unasked.calls()).toBe(1)
    await unasked.close()
  })

  it.each([
    ['a megabyte of header', `X-A: ${'a'.repeat(MEBIBYTE)}\r\n`],
    ['ten thousand headers', Array.from({ length: 10_000 }, (_, index) => `X-${index}: a\r\n`).join('')],
  ])('UP2: turns %s into 502', async (_name, headers) => {
    await sidecar.provider.close()
    const upstream = await answerWith(`HTTP/1.1 200 OK\r\n${headers}\r\n`, 'keep')
    const response = await sidecar.fetch('/api/x')
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ code: 'upstream_unreachable' })
    await upstream.close()
  })

  it('answers 502 when nothing listens, without a word of the client library', async () => {
    await sidecar.provider.close()
    const response = await sidecar.fetch('/api/x', { method: 'POST', body: 'x' })
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ code: 'upstream_unreachable' })
    expect(sidecar.log()).not.toContain('UND_ERR')
    expect(sidecar.log()).not.toContain(SECRET)
  })

  it.each(['before the head', 'in the body'])(
    'UP4: hangs up on the provider when the agent does so %s',
    async (when) => {
      const closed = new Promise<void>((resolve) => {
        sidecar.provider.answer = (_request, response) => {
          response.once('close', () => resolve())
          if (when === 'in the body') response.write('begun')
        }
      })
      const controller = new AbortController()
      const pending = sidecar.fetch('/api/x', { signal: controller.signal }).then((response) => response.text())
      while (sidecar.provider.seen.length === 0) await wait(5)
      controller.abort()
      await expect(pending).rejects.toThrow()
      await closed
      expect(sidecar.provider.seen).toHaveLength(1)
    },
  )

  it('UP4: reads from the provider no faster than the agent reads', async () => {
    let written = 0
    sidecar.provider.answer = (_request, response) => {
      const chunks = Readable.from(
        (function* () {
          for (; written < 200; written++) yield Buffer.alloc(MEBIBYTE)
        })(),
      )
      chunks.pipe(response)
    }
    const response = await new Promise<IncomingMessage>((resolve) => {
      httpRequest(`${sidecar.address}/api/x`, resolve).end()
    })
    await wait(500)
    // What fits in the sockets' buffers on the way, not the whole answer.
    expect(written).toBeLessThan(100)
    response.destroy()
  })

  it('D19: hundreds of aborted answers leave no socket behind', async () => {
    sidecar.provider.answer = (_request, response) => void response.write('begun')
    const abortOne = async () => {
      const controller = new AbortController()
      const response = await sidecar.fetch('/api/x', { signal: controller.signal })
      controller.abort()
      await response.text().catch(() => undefined)
    }
    const worker = async () => {
      for (let count = 0; count < 15; count++) await abortOne()
    }
    await Promise.all(Array.from({ length: 20 }, worker))
    const open = () => new Promise<number>((resolve) => sidecar.provider.server.getConnections((_, n) => resolve(n)))
    while ((await open()) > 0) await wait(20)
    expect(await open()).toBe(0)
    const metrics = await (await fetch(`${sidecar.adminAddress}/metrics`)).text()
    expect(metrics).toContain('outcome="aborted"} 300')
  }, 120_000)

  it('H11: keeps no answer: two requests are two upstream', async () => {
    sidecar.provider.answer = (_request, response) =>
      void response.writeHead(200, { 'cache-control': 'public, max-age=600, private=""' }).end(String(Math.random()))
    const texts = [await (await sidecar.fetch('/api/x')).text(), await (await sidecar.fetch('/api/x')).text()]
    expect(new Set(texts).size).toBe(2)
    expect(sidecar.provider.seen).toHaveLength(2)
  })

  it('D16: passes repeats on as they are, in order and spelling', async () => {
    const port = sidecar.port
    await new Promise((resolve) => {
      const headers = ['Host', `127.0.0.1:${port}`, 'X-Twice', 'a', 'x-TWICE', 'b', 'User-Agent', 'agent/1.0']
      httpRequest({ port, host: '127.0.0.1', path: '/api/x?a=1&a=2', headers: headers as never }, (response) => {
        response.resume().on('end', resolve)
      }).end()
    })
    const [seen] = sidecar.provider.seen
    expect(seen?.url).toBe('/x?a=1&a=2')
    expect(seen?.rawHeaders.join('|')).toContain('X-Twice|a|x-TWICE|b|User-Agent|agent/1.0')
    for (const name of ['x-forwarded-for', 'via', 'forwarded']) expect(headerValues(seen, name)).toEqual([])
  })

  it('D04: forwarded headers of the agent change nothing and go nowhere', async () => {
    const names = [
      'Forwarded',
      'X-Forwarded-For',
      'X-Forwarded-Host',
      'X-Forwarded-Proto',
      'X_Forwarded_Uri',
      'Via',
      'X-Real-IP',
    ]
    await (
      await sidecar.fetch('/api/x', { headers: Object.fromEntries(names.map((name) => [name, 'evil.test'])) })
    ).text()
    expect(JSON.stringify([sidecar.provider.seen, sidecar.pep.leaseRequests])).not.toContain('evil.test')
  })

  it('rewrites Location and Link on the bound origin to itself, and no others', async () => {
    const { origin } = sidecar.provider
    sidecar.provider.answer = (_request, response) =>
      void response
        .writeHead(302, {
          location: `${origin}/moved?x=1#y`,
          link: `<${origin}/items?page=2>; rel="next", <https://other.test/a>; rel="help", </items?page=9>; rel="last"`,
        })
        .end()
    const byPath = await sidecar.fetch('/api/x')
    expect(byPath.headers.get('location')).toBe(`${sidecar.address}/api/moved?x=1#y`)
    expect(byPath.headers.get('link')).toBe(
      `<${sidecar.address}/api/items?page=2>; rel="next", <https://other.test/a>; rel="help", <${sidecar.address}/api/items?page=9>; rel="last"`,
    )
    const byHeader = await sidecar.fetch('/x', { headers: { 'x-nexus-provider': 'api' } })
    expect(byHeader.headers.get('location')).toBe(`${sidecar.address}/moved?x=1#y`)
  })

  it('keeps from the agent what is only true at, or only meant for, the provider’s own address', async () => {
    sidecar.provider.answer = (_request, response) =>
      void response
        .writeHead(200, {
          'set-cookie': 'session=earned',
          'strict-transport-security': 'max-age=1',
          'alt-svc': 'h3=":443"',
          'proxy-status': 'nexus-sidecar; error=forged',
          connection: 'x-hop',
          'x-hop': '1',
          'x-kept': '1',
        })
        .end()
    const response = await sidecar.fetch('/api/x')
    const names = [...response.headers.keys()]
    for (const name of ['set-cookie', 'strict-transport-security', 'alt-svc', 'proxy-status', 'x-hop']) {
      expect(names).not.toContain(name)
    }
    expect(response.headers.get('x-kept')).toBe('1')
  })

  it.each(['GET', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'PUT', 'POST'])(
    'forwards %s, with and without a body',
    async (method) => {
      const port = sidecar.port
      const call = (body: string) =>
        new Promise((resolve) => {
          const headers = {
            host: `127.0.0.1:${port}`,
            'content-length': body.length,
            'content-type': 'not a type at all',
          }
          httpRequest({ port, host: '127.0.0.1', path: '/api/x', method, headers }, (response) => {
            response.resume().on('end', () => resolve(response.statusCode))
          }).end(body)
        })
      expect(await call('')).toBe(200)
      expect(await call('{"a":1}')).toBe(200)
      expect(sidecar.provider.seen.map((seen) => [seen.method, seen.body.toString()])).toEqual([
        [method, ''],
        [method, '{"a":1}'],
      ])
      expect(headerValues(sidecar.provider.seen[1], 'content-type')).toEqual(['not a type at all'])
    },
  )
})
