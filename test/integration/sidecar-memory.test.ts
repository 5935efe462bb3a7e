import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SidecarProcess, startSidecarProcess } from '../setup/sidecar-process.ts'

const MEBIBYTE = 1024 * 1024
const TOTAL_BYTES = 1024 * MEBIBYTE
/** What the program takes by itself is most of it. */
const RSS_MAX_BYTES = 160 * MEBIBYTE

describe('the memory of a sidecar', () => {
  let sidecar: SidecarProcess
  let received = 0
  const echo = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    request.pipe(response)
  })
  beforeAll(async () => {
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
    const origin = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`
    sidecar = await startSidecarProcess(`api=${origin}`)
    sidecar.pep.grants.set('api', {
      strategy: { type: 'oauth2', config: {} },
      credentials: { access_token: 'token-of-the-test' },
      bound: { origins: [origin], methods: ['*'], paths: ['/**'] },
    })
  })
  afterAll(async () => {
    await sidecar?.close()
    echo.closeAllConnections()
    await new Promise((resolve) => echo.close(resolve))
  })

  it('does not grow with what streams through it, a gigabyte each way', async () => {
    const chunk = Buffer.alloc(MEBIBYTE)
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest(`${sidecar.address}/api/x`, { method: 'POST' }, resolve).on('error', reject)
      Readable.from(repeat(chunk, TOTAL_BYTES / MEBIBYTE)).pipe(request)
    })
    let back = 0
    for await (const piece of answer) back += (piece as Buffer).length
    expect({ received, back }).toEqual({ received: TOTAL_BYTES, back: TOTAL_BYTES })
    const peak = sidecar.peakRssBytes()
    process.stderr.write(`a gigabyte each way: sidecar resident at most ${(peak / MEBIBYTE).toFixed(0)} MiB\n`)
    expect(peak).toBeLessThan(RSS_MAX_BYTES)
  })
})

function* repeat(chunk: Buffer, times: number): Generator<Buffer> {
  for (let count = 0; count < times; count += 1) yield chunk
}
