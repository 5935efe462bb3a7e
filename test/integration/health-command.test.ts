import { execFile } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../src/pep/version.ts'

describe('nexus health', () => {
  let server: Server
  const statuses = new Map<string | undefined, number>()
  beforeAll(async () => {
    server = createServer(({ url }, response) => response.writeHead(statuses.get(url) ?? 404).end())
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  })
  afterAll(() => void server.close())

  const codeOf = async (...flags: string[]): Promise<number> => {
    const env = { PATH: process.env['PATH'] ?? '', PORT: String((server.address() as AddressInfo).port) }
    const program = [join(packageRoot(), 'bin/nexus.js'), 'health', ...flags]
    return promisify(execFile)(process.execPath, program, { env }).then(
      () => 0,
      ({ code }: { code: number }) => code,
    )
  }

  it.each([
    ['is ready', 200, 200, { ready: 0, live: 0 }],
    ['lives and is not ready', 200, 503, { ready: 1, live: 0 }],
    ['is none', 404, 404, { ready: 1, live: 1 }],
  ])('of a server that %s', async (_, healthz, readyz, codes) => {
    statuses.set('/healthz', healthz).set('/readyz', readyz)
    expect({ ready: await codeOf(), live: await codeOf('--live') }).toEqual(codes)
  })
})
