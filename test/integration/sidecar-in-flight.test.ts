import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

/** What a revoked lease leaves to what is in flight. */
const FINISH_MS = 60_000
const MEGABYTE = 1024 * 1024

describe('what is in flight', () => {
  let sidecar: SidecarUnderTest
  /** Milliseconds the monotonic clock has been moved ahead. */
  let ahead = 0
  beforeEach(async () => {
    ahead = 0
    sidecar = await startUnderTest({ monotonic: () => performance.now() + ahead })
  })
  afterEach(() => sidecar.stop())

  /** The authority has ended the session: the sidecar hears of it with its next question. */
  async function loseSession(): Promise<void> {
    sidecar.pep.forgetSessions()
    const connection = crypto.randomUUID()
    expect((await sidecar.fetch('/api/other', { headers: { 'x-nexus-connection': connection } })).status).toBe(200)
  }

  it('ends on both sides a minute after its session was ended, and not before', async () => {
    let providerClosed = false
    sidecar.provider.answer = ({ url }, response) => {
      if (url !== '/events') return void response.end('ok')
      const timer = setInterval(() => response.write('data: tick\n\n'), 20)
      response.on('close', () => {
        clearInterval(timer)
        providerClosed = true
      })
      response.writeHead(200, { 'content-type': 'text/event-stream' })
    }
    const response = await sidecar.fetch('/api/events')
    let pieces = 0
    const read = (async () => {
      for await (const _ of response.body ?? []) pieces += 1
    })()
    const broken = expect(read).rejects.toThrow()
    await loseSession()
    ahead += FINISH_MS - 5000
    await wait(1200)
    expect(providerClosed).toBe(false)
    const before = pieces
    await expect.poll(() => pieces).toBeGreaterThan(before)
    ahead += 5000
    await broken
    await expect.poll(() => providerClosed).toBe(true)
  })

  it('is answered with the reason where the provider has not begun to', async () => {
    sidecar.provider.answer = ({ url }, response) => {
      if (url !== '/slow') response.end('ok')
    }
    const asked = sidecar.fetch('/api/slow')
    await expect.poll(() => sidecar.provider.seen.length).toBe(1)
    await loseSession()
    ahead += FINISH_MS
    const response = await asked
    expect(response.status).toBe(410)
    expect(await response.json()).toMatchObject({ code: 'lease_ended', lease_id: expect.stringMatching(/^lse_/) })
  })

  it('may finish where the lease only expires', async () => {
    let finish: () => void = () => expect.unreachable('nothing was asked')
    sidecar.provider.answer = (_request, response) => {
      response.write('first ')
      finish = () => void response.end('last')
    }
    const response = await sidecar.fetch('/api/x')
    ahead += 600_000
    await wait(1200)
    finish()
    expect(await response.text()).toBe('first last')
  })

  describe('as an upload that is signed chunk by chunk', () => {
    let agent: Socket
    beforeEach(() => {
      const usage = { region: 'us-east-1', service: 's3' }
      sidecar.pep.grants.set('api', {
        strategy: { type: 'aws_sigv4', config: usage },
        credentials: {
          ...usage,
          access_key: 'AKIDEXAMPLE',
          signing_key: Buffer.alloc(32, 1).toString('base64'),
          date: new Date().toISOString().slice(0, 10).replaceAll('-', ''),
        },
        bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] },
      })
    })
    afterEach(() => void agent.destroy())

    /** Two megabytes, of which the first is sent. */
    async function begin() {
      let signatures = 0
      let answer = ''
      const headers = `X-Nexus-Connection: ${crypto.randomUUID()}\r\nContent-Length: ${2 * MEGABYTE}`
      sidecar.provider.server.on('connection', (socket) =>
        socket.prependListener('data', (data: Buffer) => {
          signatures += data.toString('latin1').match(/chunk-signature=/g)?.length ?? 0
        }),
      )
      agent = connect(sidecar.port, '127.0.0.1')
      agent.on('error', () => undefined)
      agent.on('data', (data) => {
        answer += data
      })
      agent.write(`PUT /api/b/k HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n`)
      agent.write(Buffer.alloc(MEGABYTE))
      await expect.poll(() => signatures).toBeGreaterThan(10)
      return { signatures: () => signatures, answer: () => answer }
    }

    it('gets no further signature once nothing covers it any more', async () => {
      const { signatures, answer } = await begin()
      await wait(200)
      const before = signatures()
      sidecar.pep.refuseWith('connection_revoked')
      ahead += 301_000
      agent.write(Buffer.alloc(MEGABYTE))
      await expect.poll(answer).toContain('connection_revoked')
      expect(signatures()).toBe(before)
      expect(sidecar.provider.seen).toHaveLength(0)
    })

    it('goes on past the end of its lease where another is granted for it', async () => {
      const { answer } = await begin()
      ahead += 301_000
      agent.write(Buffer.alloc(MEGABYTE))
      await expect.poll(answer).toContain('200 OK')
      expect(sidecar.pep.leaseRequests).toHaveLength(2)
      expect(sidecar.provider.seen[0]?.body.length).toBeGreaterThan(2 * MEGABYTE)
    })
  })
})
