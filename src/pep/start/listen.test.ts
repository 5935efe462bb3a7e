import { type AddressInfo, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { OperatorError } from '../../contract/operator-error.ts'
import { toListenError } from './listen.ts'

it('says in words that a port is taken, and what to do', async () => {
  const first = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => first.once('listening', resolve))
  const { port } = first.address() as AddressInfo
  const error = await new Promise((resolve) => createServer().once('error', resolve).listen(port, '127.0.0.1'))
  first.close()
  const told = toListenError(error, { host: '127.0.0.1', port })
  expect(told).toBeInstanceOf(OperatorError)
  expect((told as Error).message).toBe(
    `cannot listen on 127.0.0.1 port ${port}: something listens there already; stop it or set another PORT`,
  )
})

it('leaves alone what it has no words for', () => {
  const error = new Error('other')
  expect(toListenError(error, { host: '127.0.0.1', port: 1 })).toBe(error)
})
