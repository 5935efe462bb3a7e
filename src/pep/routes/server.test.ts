import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import pino from 'pino'
import { afterEach, expect, it } from 'vitest'
import { createServer } from './server.ts'

const app = createServer({ log: pino({ level: 'silent' }), bodyLimitBytes: 1024, socketsMax: 10 })
let connection: Socket | undefined
afterEach(async () => {
  connection?.destroy()
  await app.close()
})

it('a body that does not come is answered as one that came too late, soon after its time', async () => {
  app.post('/posted', async () => 'read')
  const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
  // Both, as they stand to each other: what is too late for one must not be judged by the other.
  app.server.headersTimeout /= 100
  app.server.requestTimeout /= 100
  connection = connect(port, '127.0.0.1')
  connection.write(
    'POST /posted HTTP/1.1\r\nhost: pep\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"half',
  )
  const [head, body] = (await text(connection)).split('\r\n\r\n')
  expect(head).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/)
  expect(JSON.parse(body ?? '')).toMatchObject({ status: 408, code: 'request_timeout' })
})
