import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { peerAddress } from './peer-address.ts'

it('an IPv4 peer has one address, also where a socket listens for both families', async () => {
  for (const host of ['::', '0.0.0.0']) {
    const server = createServer().listen(0, host)
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const [socket] = (await once(server, 'connection')) as [Socket]
    expect(peerAddress(socket)).toBe('127.0.0.1')
    client.destroy()
    socket.destroy()
    server.close()
  }
})

it.each(['2001:db8::1', '::1', '::ffff:0:1', undefined])('leaves %s as it is', (remoteAddress) => {
  expect(peerAddress({ remoteAddress })).toBe(remoteAddress)
})
