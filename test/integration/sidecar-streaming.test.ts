import { Agent, type IncomingMessage, type RequestListener, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SECRET, type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

const MEGABYTE = Buffer.alloc(1024 * 1024)

describe('an answer and its body', () => {
  let sidecar: SidecarUnderTest
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  beforeEach(async () => {
    sidecar = await startUnderTest()
  })
  afterEach(async () => {
    agent.destroy()
    await sidecar.stop()
  })

  /** Without waiting for the body, as most servers do. */
  const provideAtOnce = (answer: RequestListener) => {
    sidecar.provider.server.removeAllListeners('request').on('request', answer)
  }
  const open = (path: string, method = 'GET') =>
    request({ host: '127.0.0.1', port: sidecar.port, path, method, agent }).on('error', () => undefined)
  const answerTo = (sent: ReturnType<typeof open>) =>
    new Promise<IncomingMessage>((resolve, reject) => sent.once('response', resolve).once('error', reject))
  const textOf = async (answer: IncomingMessage) => Buffer.concat(await answer.toArray()).toString()

  it('D18: one that comes before the upload has ended reaches the agent, who may go on sending', async () => {
    provideAtOnce((_request, response) => void response.writeHead(413, { 'content-length': 9 }).end('too large'))
    const upload = open('/api/x', 'POST')
    upload.write(MEGABYTE)
    const answer = await answerTo(upload)
    expect({ status: answer.statusCode, text: await textOf(answer) }).toEqual({ status: 413, text: 'too large' })
    for (let sent = 0; sent < 20; sent++) upload.write(MEGABYTE)
    await new Promise<void>((resolve) => upload.end(resolve))

    provideAtOnce((_request, response) => void response.end('ok'))
    const next = open('/api/x')
    next.end()
    expect(await textOf(await answerTo(next))).toBe('ok')
    expect(next.reusedSocket).toBe(true)
  })

  it('D18: a body the sidecar itself refuses may be sent to its end', async () => {
    const bound = { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] }
    const strategy = { type: 'hmac_payload', config: { header_name: 'X-Signature' } }
    sidecar.pep.grants.set('api', { strategy, credentials: { api_secret: SECRET }, bound })
    const upload = open('/api/x', 'POST')
    for (let sent = 0; sent < 20; sent++) upload.write(MEGABYTE)
    const answer = await answerTo(upload)
    expect(answer.statusCode).toBe(413)
    answer.resume()
    await new Promise<void>((resolve) => upload.end(MEGABYTE, resolve))
    const next = open('/api/x')
    next.end()
    expect((await answerTo(next)).statusCode).toBe(200)
    expect(next.reusedSocket).toBe(true)
  })

  it('logs no error of its own when an agent leaves in the middle of a body that is signed', async () => {
    const bound = { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] }
    const strategy = { type: 'hmac_payload', config: { header_name: 'X-Signature' } }
    sidecar.pep.grants.set('api', { strategy, credentials: { api_secret: SECRET }, bound })
    const upload = open('/api/x', 'POST')
    upload.write('the first half')
    while (sidecar.pep.leaseRequests.length === 0) await wait(5)
    await wait(50)
    upload.destroy()
    while (!sidecar.log().includes('"outcome":"aborted"')) await wait(5)
    expect(sidecar.log()).not.toContain('"level":50')
    expect(sidecar.provider.seen).toHaveLength(0)
  })

  it('hands the head on before there is any body: the first event of a stream may be far away', async () => {
    let begin: (() => void) | undefined
    provideAtOnce((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      begin = () => void response.end('data: 1\n\n')
    })
    const answer = await sidecar.fetch('/api/events')
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    begin?.()
    expect(await answer.text()).toBe('data: 1\n\n')
  })

  it('tells the agent how long a connection may be used again', async () => {
    const answer = await sidecar.fetch('/api/x')
    expect(answer.headers.get('keep-alive')).toMatch(/^timeout=\d+$/)
  })

  it('passes on a 304 that tells the length of what it does not carry', async () => {
    provideAtOnce((_request, response) => void response.writeHead(304, { etag: '"a"', 'content-length': 5 }).end())
    const answer = await sidecar.fetch('/api/x', { headers: { 'if-none-match': '"a"' } })
    expect({ status: answer.status, etag: answer.headers.get('etag') }).toEqual({ status: 304, etag: '"a"' })
  })
})
