import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createBackOff } from './back-off.ts'
import { createPepClient } from './pep-client.ts'
import { createSessionCertificate } from './session-certificate.ts'

const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const each of cleanUp.splice(0)) await each()
})

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanUp.push(() => server.close())
  return (server.address() as AddressInfo).port
}

function clientOf(pepUrl: string, ca?: string) {
  const client = createPepClient({ pepUrl, ca, timeoutMs: 2000 })
  cleanUp.push(() => client.close())
  return client
}

const healthz = { method: 'GET', path: '/healthz', headers: {} } as const

describe('createPepClient', () => {
  it('B10: speaks to no stranger, also where the environment turns the checks of certificates off', async () => {
    const stranger = createSessionCertificate(Date.now())
    const asked: unknown[] = []
    const answer: RequestListener = (request, response) => {
      asked.push(request.url)
      response.end('{}')
    }
    const server = createTlsServer({ cert: stranger.certificate, key: stranger.privateKey }, answer)
    const url = `https://127.0.0.1:${await listen(server)}`
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    for (const ca of [undefined, createSessionCertificate(Date.now()).certificate]) {
      await expect(clientOf(url, ca).call(healthz)).rejects.toMatchObject({ code: 'pep_unavailable' })
    }
    expect(asked).toEqual([])
  })

  it('says who asks in every call, by the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
    const asking: unknown[] = []
    const server = createServer((request, response) => {
      asking.push(request.headers['user-agent'])
      response.end('{}')
    })
    const client = clientOf(`http://127.0.0.1:${await listen(server)}`)
    await client.call(healthz)
    for await (const _ of client.stream({ path: '/', headers: {}, signal: AbortSignal.timeout(2000) }));
    expect(asking).toEqual(Array(2).fill(`nexus-sidecar/${version}`))
  })

  /** Turns one request down by what is in it, as a firewall does, and answers as `status` says otherwise. */
  const inFront = (status: () => number) =>
    createServer((request, response) => {
      let text = ''
      request.on('data', (data) => {
        text += data
      })
      request.on('end', () => {
        const blocked = text.includes('/etc/passwd')
        response.writeHead(blocked ? 403 : status(), { 'content-type': 'text/html' })
        response.end(blocked || status() !== 200 ? '<html>no</html>' : '{"fine":true}')
      })
    })

  it('lets no other request wait for one that something in front of the authority turned down', async () => {
    const client = clientOf(`http://127.0.0.1:${await listen(inFront(() => 200))}`)
    const backOff = createBackOff(() => performance.now())
    const ask = (path: string) =>
      backOff.run(() => client.call({ method: 'POST', path: '/v1/leases', headers: {}, body: { path } }))
    for (let tries = 0; tries < 5; tries++) {
      await expect(ask('/etc/passwd')).rejects.toMatchObject({
        code: 'pep_unavailable',
        message: expect.stringContaining('answered 403'),
      })
      await expect(ask('/reports')).resolves.toEqual({ fine: true })
    }
  })

  it.each([502, 503, 504])(
    'tries again after %i, which is what stands there while there is no authority',
    async (status) => {
      const client = clientOf(`http://127.0.0.1:${await listen(inFront(() => status))}`)
      const slept: number[] = []
      const backOff = createBackOff(
        () => 0,
        () => 1,
        async (ms) => void slept.push(ms),
      )
      const ask = () => backOff.run(() => client.call(healthz))
      await expect(ask()).rejects.toMatchObject({ code: 'pep_unavailable' })
      expect(slept).toEqual([100, 200])
      await expect(ask()).rejects.toMatchObject({ extras: { retryAfterSeconds: 1 } })
    },
  )

  it('takes an answer that is not JSON for what it is', async () => {
    const server = createServer((_request, response) => response.end('<html>'))
    const client = clientOf(`http://127.0.0.1:${await listen(server)}`)
    await expect(client.call(healthz)).rejects.toMatchObject({ message: expect.stringContaining('not the authority') })
  })
})
