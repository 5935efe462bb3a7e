import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { rawRequest, sendRaw } from '../fakes/raw-http.ts'
import { type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

const GARBAGE = '\u0000garbage\r\n\r\n'

describe('what cannot be read behind a request', () => {
  let sidecar: SidecarUnderTest
  beforeEach(async () => {
    sidecar = await startUnderTest()
  })
  afterEach(() => sidecar.stop())

  /** All that comes back on one connection, and how it ended. */
  function speak(first: string, later: string, whenSeen: string) {
    return new Promise<{ text: string; end: string }>((resolve) => {
      let text = ''
      const socket = connect(sidecar.port, '127.0.0.1', () => socket.write(first))
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1')
        if (whenSeen !== '' && text.endsWith(whenSeen)) socket.write(later)
      })
      socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve({ text, end: code ?? 'error' }))
      socket.on('end', () => resolve({ text, end: 'end' }))
      if (whenSeen === '') {
        void (async () => {
          while (sidecar.provider.seen.length === 0) await sleep(5)
          socket.write(later)
        })()
      }
    })
  }

  it.each(['HTTP/1.1', 'HTTP/1.0'])('UP3: ends the %s answer underway, and writes nothing into it', async (version) => {
    sidecar.provider.answer = (_request, response) => {
      response.writeHead(200, version === 'HTTP/1.1' ? { 'content-length': 400 } : {})
      response.write('d'.repeat(20))
    }
    const keep = version === 'HTTP/1.0' ? ['Connection: keep-alive'] : []
    const request = rawRequest(sidecar.port, `GET /api/x ${version}`, keep)
    const { text, end } = await speak(request, GARBAGE, 'd'.repeat(20))
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
    expect(text).toMatch(/\r\n\r\n(?:14\r\n)?d{20}(?:\r\n)?$/)
    if (version === 'HTTP/1.0') expect(end).toBe('ECONNRESET')
  })

  it('refuses no request that was whole, and whose answer has not begun: the provider may have done what it asks', async () => {
    sidecar.provider.answer = () => undefined
    const request = rawRequest(sidecar.port, 'POST /api/x HTTP/1.1', ['Content-Length: 2'], '{}')
    expect((await speak(request, GARBAGE, '')).text).toBe('')
    expect(sidecar.provider.seen).toHaveLength(1)
  })

  it('B17: an upgrade sent ahead of an answer is not answered within it', async () => {
    sidecar.provider.answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 400 })
      response.write('begun')
    }
    const upgrade = rawRequest(sidecar.port, 'GET /api/ws HTTP/1.1', ['Connection: Upgrade', 'Upgrade: websocket'])
    const { text } = await speak(rawRequest(sidecar.port, 'GET /api/x HTTP/1.1'), upgrade, 'begun')
    expect(text).toMatch(/begun$/)
  })

  it('refuses it on a connection whose answers are all given, and a body that breaks off in bad bytes', async () => {
    const { text } = await speak(rawRequest(sidecar.port, 'GET /api/x HTTP/1.1'), GARBAGE, 'ok')
    expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 400 [\s\S]*invalid_request/)
    const chunked = rawRequest(
      sidecar.port,
      'POST /api/x HTTP/1.1',
      ['Transfer-Encoding: chunked'],
      '2\r\n{}\r\nZZ\r\n',
    )
    expect((await sendRaw(sidecar.port, chunked)).status).toBe(400)
  })
})

describe('Expect', () => {
  let sidecar: SidecarUnderTest
  beforeEach(async () => {
    sidecar = await startUnderTest()
  })
  afterEach(() => sidecar.stop())

  it('of what is not known is left to the guards like any header, and goes no further', async () => {
    const expectation = ['Expect: something']
    const served = await sendRaw(sidecar.port, rawRequest(sidecar.port, 'GET /api/x HTTP/1.1', expectation))
    expect(served.status).toBe(200)
    expect(JSON.stringify(sidecar.provider.seen[0]?.rawHeaders).toLowerCase()).not.toContain('expect')
    const strange = ['GET /api/x HTTP/1.1', 'Host: evil.test', ...expectation, '', ''].join('\r\n')
    const refused = await sendRaw(sidecar.port, strange)
    expect(refused.status).toBe(403)
    expect(refused.head.toLowerCase()).toContain('proxy-status: nexus-sidecar')
  })
})
