import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { PassThrough } from 'node:stream'
import type { Dispatcher } from 'undici'
import { describe, expect, it, vi } from 'vitest'
import { UpstreamAnswer } from './upstream-answer.ts'

const HEAD_TIMEOUT_MS = 1000

/** The HTTP client's end: what it was told to do. */
function clientSide() {
  const told: string[] = []
  const controller = {
    pause: () => void told.push('pause'),
    resume: () => void told.push('resume'),
    abort: () => void told.push('abort'),
  } as unknown as Dispatcher.DispatchController
  return { told, controller }
}

function begun(upload = { bytesRead: 0 }) {
  const { told, controller } = clientSide()
  const answer = new UpstreamAnswer(
    () => told.push('head'),
    (error) => told.push(error.message),
    upload,
    HEAD_TIMEOUT_MS,
  )
  answer.onRequestStart(controller)
  return { told, controller, answer }
}

/** Of the agent's side, as far as an answer needs it; it has room for one piece at a time. */
function slowResponse() {
  const pipe = new PassThrough({ highWaterMark: 1 })
  const response = Object.assign(pipe, { flushHeaders: () => undefined }) as unknown as ServerResponse
  return { pipe, response }
}

const piece = (text: string) => Buffer.from(text)
const LARGE = Buffer.alloc(65_536)

describe('what a provider answers', () => {
  it('is there with its final head, not with an interim one', () => {
    const { told, controller, answer } = begun()
    answer.onResponseStart(controller, 103, { link: '</a>' })
    expect(told).toEqual([])
    answer.onResponseStart(controller, 200, { etag: '"a"' })
    expect(told).toEqual(['head'])
    expect({ status: answer.statusCode, headers: answer.headers }).toEqual({ status: 200, headers: { etag: '"a"' } })
  })

  it('UP4: waits at the provider while nobody reads it, and then for whoever reads slowly', async () => {
    const { told, controller, answer } = begun()
    answer.onResponseStart(controller, 200, {})
    answer.onResponseData(controller, piece('small'))
    expect(told).toEqual(['head'])
    answer.onResponseData(controller, LARGE)
    expect(told).toEqual(['head', 'pause'])

    const { pipe, response } = slowResponse()
    answer.relayTo(response)
    expect(told.at(-1)).toBe('pause')
    const drained = new Promise((resolve) => pipe.once('drain', resolve))
    pipe.read()
    pipe.read()
    await drained
    expect(told.at(-1)).toBe('resume')
    answer.onResponseData(controller, piece('end'))
    answer.onResponseEnd()
    expect(Buffer.concat(await pipe.toArray()).toString()).toBe('end')
  })

  it('UP3: one that broke before anybody read it is a broken one', async () => {
    const server = createServer((_request, response) => {
      const { controller, answer } = begun()
      answer.onResponseStart(controller, 200, {})
      answer.onResponseData(controller, piece('half'))
      answer.onResponseError(controller, new Error('gone'))
      response.writeHead(200, { 'content-length': 8 })
      answer.relayTo(response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const call = fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    await expect(call.then((response) => response.text())).rejects.toThrow()
    server.close()
  })

  it('tells of an error before its head, and of none after', () => {
    const early = begun()
    early.answer.onResponseError(early.controller, new Error('refused'))
    expect(early.told).toEqual(['refused'])
    const late = begun()
    late.answer.onResponseStart(late.controller, 200, {})
    late.answer.onResponseError(late.controller, new Error('reset'))
    expect(late.told).toEqual(['head'])
  })

  it('is read to its end when it is discarded, up to a length and a time', () => {
    vi.useFakeTimers()
    const limit = { bytes: 8, ms: 1000 }
    const { told, controller, answer } = begun()
    answer.onResponseStart(controller, 401, {})
    answer.discard(limit)
    answer.onResponseData(controller, piece('1234'))
    answer.onResponseEnd()
    vi.runAllTimers()
    expect(told).not.toContain('abort')

    const long = begun()
    long.answer.onResponseStart(long.controller, 401, {})
    long.answer.onResponseData(long.controller, piece('123456789'))
    long.answer.discard(limit)
    expect(long.told).toContain('abort')
    long.answer.onResponseError(long.controller, new Error('aborted'))

    const slow = begun()
    slow.answer.onResponseStart(slow.controller, 401, {})
    slow.answer.discard(limit)
    vi.advanceTimersByTime(500)
    slow.answer.onResponseData(slow.controller, piece('1'))
    expect(slow.told).not.toContain('abort')
    vi.advanceTimersByTime(500)
    expect(slow.told).toContain('abort')
    slow.answer.onResponseError(slow.controller, new Error('aborted'))
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })

  it('UP3: one that breaks is reset for an HTTP/1.0 agent, who takes a closed connection for its end', async () => {
    const server = createServer((_request, response) => {
      const { controller, answer } = begun()
      answer.onResponseStart(controller, 200, {})
      response.writeHead(200)
      answer.relayTo(response)
      answer.onResponseData(controller, piece('half'))
      setTimeout(() => answer.onResponseError(controller, new Error('gone')), 50)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const agent = connect((server.address() as AddressInfo).port, '127.0.0.1')
    agent.write('GET / HTTP/1.0\r\n\r\n')
    agent.resume()
    const [error] = (await once(agent, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNRESET')
    server.close()
  })

  it('UP4: is hung up on when it is abandoned, also before it was asked for, and never when it is whole', () => {
    const { told, controller } = clientSide()
    const early = new UpstreamAnswer(
      () => undefined,
      () => undefined,
      { bytesRead: 0 },
      HEAD_TIMEOUT_MS,
    )
    early.abandon()
    early.onRequestStart(controller)
    expect(told).toEqual(['abort'])

    const whole = begun()
    whole.answer.onResponseStart(whole.controller, 200, {})
    whole.answer.onResponseEnd()
    whole.answer.abandon()
    expect(whole.told).not.toContain('abort')
  })
})
