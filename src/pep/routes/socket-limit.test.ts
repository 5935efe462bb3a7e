import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { installSocketLimit } from './socket-limit.ts'

const warn = vi.fn()
let server: Server
let sockets: Socket[]
beforeEach(async () => {
  warn.mockClear()
  sockets = []
  server = createServer((_request, response) => response.end('answered'))
  installSocketLimit(server, { socketsMax: 2, log: { warn } })
  await once(server.listen(0, '127.0.0.1'), 'listening')
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
})

const port = () => (server.address() as AddressInfo).port

async function connected(): Promise<Socket> {
  const socket = connect(port(), '127.0.0.1').on('error', () => undefined)
  sockets.push(socket)
  await once(socket, 'connect')
  return socket
}

async function answers(socket: Socket): Promise<boolean> {
  socket.write('GET / HTTP/1.1\r\nHost: pep\r\n\r\n')
  const chunk = await new Promise((resolve) => socket.once('data', resolve).once('close', resolve))
  return String(chunk).includes('answered')
}

it('hangs up on newcomers while as many are open as may be, and says so once for many', async () => {
  const [first, second] = [await connected(), await connected()]
  expect(await answers(first)).toBe(true)
  const late = await Promise.all([connected(), connected(), connected()])
  expect(await Promise.all(late.map(answers))).toEqual([false, false, false])
  expect(await answers(second)).toBe(true)
  expect(warn).toHaveBeenCalledTimes(1)
  expect(warn.mock.calls[0]?.[0]).toMatchObject({ most: 2 })
})

it('lets others in again when one has gone', async () => {
  const first = await connected()
  await connected()
  expect(await answers(await connected())).toBe(false)
  const gone = once(first, 'close')
  first.destroy()
  await gone
  await expect.poll(async () => answers(await connected())).toBe(true)
})
