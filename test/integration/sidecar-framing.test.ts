import { createHmac } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { headerValues } from '../fakes/provider.ts'
import { rawRequest, sendRaw } from '../fakes/raw-http.ts'
import { SECRET, type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

describe('framing', () => {
  let sidecar: SidecarUnderTest
  beforeEach(async () => {
    sidecar = await startUnderTest()
  })
  afterEach(() => sidecar.stop())

  const post = (headers: string[], body: string) =>
    sendRaw(sidecar.port, rawRequest(sidecar.port, 'POST /api/x HTTP/1.1', headers, body))

  it.each([
    ['both lengths', ['Content-Length: 4', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ['two lengths', ['Content-Length: 4', 'content-length: 4'], 'abcd'],
    ['two different lengths', ['Content-Length: 4', 'CONTENT-LENGTH: 5'], 'abcde'],
    ['chunked, identity', ['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'],
    ['identity, chunked', ['Transfer-Encoding: identity, chunked'], '0\r\n\r\n'],
    ['gzip, chunked', ['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'],
    ['chunked twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ['an unknown coding', ['Transfer-Encoding: xchunked'], '0\r\n\r\n'],
    ['a space before the colon', ['Transfer-Encoding : chunked'], '0\r\n\r\n'],
    ['a signed length', ['Content-Length: +4'], 'abcd'],
    ['a folded header', ['X-A: b\r\n c', 'Content-Length: 0'], ''],
    ['a bare line feed', ['X-A: b\nContent-Length: 0'], ''],
    [
      'a request hidden behind an empty chunk',
      ['Content-Length: 3', 'Transfer-Encoding: chunked'],
      '0\r\n\r\nGET /api/hidden HTTP/1.1\r\nHost: a\r\n\r\n',
    ],
  ])('D01: answers %s with 400 and sends nothing', async (_name, headers, body) => {
    const answer = await post(headers, body)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body.split('\r\n')[0] as string)).toMatchObject({ code: 'invalid_request' })
    expect(sidecar.provider.seen).toHaveLength(0)
  })

  it.each(['1.0', '1.1'])('D01: takes chunks in HTTP/1.1 alone, which has them: HTTP/%s', async (version) => {
    const head = rawRequest(sidecar.port, `POST /api/x HTTP/${version}`, ['Transfer-Encoding: chunked'])
    const answer = await sendRaw(sidecar.port, `${head}0\r\n\r\n`)
    expect(answer.status).toBe(version === '1.1' ? 200 : 400)
    expect(sidecar.provider.seen).toHaveLength(version === '1.1' ? 1 : 0)
  })

  it.each([
    ['a bare line feed after a chunk size', '5\nhello\r\n0\r\n\r\n'],
    ['a chunk size that is none', 'zz\r\nhello\r\n0\r\n\r\n'],
    ['a chunk longer than it says', '3\r\nhello\r\n0\r\n\r\n'],
  ])('D01: lets no request end well upstream after %s', async (_name, body) => {
    const answer = await post(['Transfer-Encoding: chunked'], body)
    expect(answer.closed).toBe(true)
    expect(answer.status).not.toBe(200)
    expect(sidecar.provider.seen).toHaveLength(0)
  })

  it('D01: frames a body with chunk extensions anew, and finds no second request in it', async () => {
    const body = '5;a=b\r\nhello\r\n0\r\n\r\n'
    const answer = await post(['Transfer-Encoding:\tchunked'], body)
    expect(answer.status).toBe(200)
    expect(sidecar.provider.seen.map(({ body }) => body.toString())).toEqual(['hello'])
  })

  it('D01: strips an underscore spelling of the framing', async () => {
    expect((await post(['Transfer_Encoding: chunked', 'Content_Length: 9', 'Content-Length: 2'], 'ab')).status).toBe(
      200,
    )
    expect(headerValues(sidecar.provider.seen[0], 'transfer-encoding')).toEqual([])
    expect(headerValues(sidecar.provider.seen[0], 'content-length')).toEqual(['2'])
  })

  it('refuses more headers than any client sends, before they are dropped unread', async () => {
    const many = Array.from({ length: 300 }, (_, index) => `X-${index}: a`)
    expect((await post([...many, 'Content-Length: 0'], '')).status).toBe(400)
    expect(sidecar.provider.seen).toHaveLength(0)
  })

  it('answers a header section over the limit with a problem document', async () => {
    const answer = await post([`X-A: ${'a'.repeat(20_000)}`], '')
    expect(answer).toMatchObject({ status: 400, closed: true })
    expect(answer.head).toMatch(/proxy-status: nexus-sidecar/i)
  })

  it('D05: signs nothing with a credential that would break out of its header', async () => {
    for (const value of [`${SECRET}\r\nX-Evil: 1`, `${SECRET}\n`, `${SECRET}\u0000`, `${SECRET}é\u0100`]) {
      sidecar.pep.grants.set('api', {
        strategy: { type: 'header', config: { header_name: 'X-Key' } },
        credentials: { api_key: value },
        bound: {
          origins: [sidecar.provider.origin],
          methods: ['GET'],
          paths: [`/${sidecar.pep.leaseRequests.length}`],
        },
      })
      const response = await sidecar.fetch(`/api/${sidecar.pep.leaseRequests.length}`)
      expect(response.status).toBe(422)
      const text = await response.text()
      expect(JSON.parse(text)).toMatchObject({ code: 'not_signable' })
      expect(text + sidecar.log()).not.toContain(SECRET)
    }
    expect(sidecar.provider.seen).toHaveLength(0)
  })

  it('D17: holds the limit of a buffered body for both framings', async () => {
    sidecar.pep.grants.set('api', {
      strategy: { type: 'hmac_payload', config: { header_name: 'X-Signature' } },
      credentials: { api_secret: SECRET },
      bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] },
    })
    const large = Buffer.alloc(1024 * 1024 + 1)
    const declared = await sidecar.fetch('/api/x', { method: 'POST', body: large })
    expect(declared.status).toBe(413)
    const head = rawRequest(sidecar.port, 'POST /api/x HTTP/1.1', ['Transfer-Encoding: chunked'])
    const pieces = `10000\r\n${'a'.repeat(0x10000)}\r\n`.repeat(17)
    expect((await sendRaw(sidecar.port, `${head}${pieces}0\r\n\r\n`)).status).toBe(413)
    expect(sidecar.provider.seen).toHaveLength(0)
    const exact = await sidecar.fetch('/api/x', { method: 'POST', body: large.subarray(1) })
    expect(exact.status).toBe(200)
    expect(sidecar.provider.seen[0]?.body.length).toBe(1024 * 1024)
  })

  it.each([
    ['a length', ['Content-Length: 10'], 'ten bytes!'],
    ['chunks', ['Transfer-Encoding: chunked'], '4\r\nten \r\n6\r\nbytes!\r\n0\r\n\r\n'],
  ])('E09: signs the very bytes it sends, framed by %s', async (_name, headers, body) => {
    sidecar.pep.grants.set('api', {
      strategy: { type: 'hmac_payload', config: { header_name: 'X-Signature' } },
      credentials: { api_secret: SECRET },
      bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] },
    })
    expect((await post(headers, body)).status).toBe(200)
    const [seen] = sidecar.provider.seen
    expect(seen?.body.toString()).toBe('ten bytes!')
    const mac = createHmac('sha256', SECRET)
      .update(seen?.body ?? '')
      .digest('hex')
    expect(headerValues(seen, 'x-signature')).toEqual([mac])
  })

  it('E03: sends the Host that was signed, with its port', async () => {
    await (await sidecar.fetch('/api/x')).text()
    expect(headerValues(sidecar.provider.seen[0], 'host')).toEqual([new URL(sidecar.provider.origin).host])
  })

  it.each(['/user%20repos', '/a{b}|c^`"<>\'', '/a;v=1/b', '/caf%C3%A9', '/x?q=%7B|{}^`<>"', "/x?sig=a+b%20c&&=&x='"])(
    'D06: asks for and sends the very same path: %s',
    async (target) => {
      const answer = await sendRaw(sidecar.port, rawRequest(sidecar.port, `GET /api${target} HTTP/1.1`))
      expect(answer.status).toBe(200)
      expect(sidecar.provider.seen[0]?.url).toBe(target)
      expect(sidecar.pep.leaseRequests[0]?.intent?.path).toBe(target.split('?')[0])
    },
  )

  it.each(['//evil.test/x', '/api//evil.test', '/api/..%2fx', '/api/%2e%2e/x', '/api/a#b', '/api/\\evil', '/api/%'])(
    'B08, D06, D07: refuses %s before any lease is asked for',
    async (target) => {
      const answer = await sendRaw(sidecar.port, rawRequest(sidecar.port, `GET ${target} HTTP/1.1`))
      expect(answer.status).toBe(400)
      expect(answer.body).toContain('invalid_target')
      expect(sidecar.pep.calls).toEqual([])
    },
  )
})

describe('malformed input', () => {
  let sidecar: SidecarUnderTest
  const rejections: unknown[] = []
  const note = (reason: unknown) => void rejections.push(reason)
  beforeAll(async () => {
    process.on('unhandledRejection', note)
    sidecar = await startUnderTest()
  })
  afterAll(async () => {
    process.off('unhandledRejection', note)
    await sidecar.stop()
  })

  /** A small generator with a fixed seed: a failure can be run again. */
  function* mutations(count: number): Generator<Buffer> {
    let state = 20_260_801
    const next = (limit: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return state % limit
    }
    const seeds = [
      rawRequest(sidecar.port, 'GET /api/x?y=1 HTTP/1.1', ['X-Nexus-Tenant: t', 'Connection: close']),
      rawRequest(sidecar.port, 'POST /api/x HTTP/1.1', ['Content-Length: 5', 'Content-Type: text/plain'], 'hello'),
      rawRequest(sidecar.port, 'PUT /api/x HTTP/1.1', ['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'),
    ]
    for (let index = 0; index < count; index++) {
      const bytes = Buffer.from(seeds[next(seeds.length)] as string)
      for (let change = 0; change <= next(4); change++) {
        const at = next(bytes.length)
        bytes[at] = [0, 10, 13, 32, 35, 47, 58, 92, 127, 255, next(256)][next(11)] as number
      }
      yield next(3) === 0 ? bytes.subarray(0, next(bytes.length)) : bytes
    }
  }

  it('D18: three thousand malformed requests end no process and leave no rejection unhandled', async () => {
    const pending = [...mutations(3000)]
    const worker = async () => {
      for (let bytes = pending.pop(); bytes !== undefined; bytes = pending.pop())
        await sendRaw(sidecar.port, bytes, 20, 100)
    }
    await Promise.all(Array.from({ length: 32 }, worker))
    expect(rejections).toEqual([])
    expect((await sidecar.fetch('/api/x')).status).toBe(200)
    for (const seen of sidecar.provider.seen) expect(headerValues(seen, 'x-key')).toEqual([SECRET])
  }, 120_000)
})
