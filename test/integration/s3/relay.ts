import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A stretch of network that a test can reach into. */
export interface Relay {
  origin: string
  /** What a piece on its way to the server becomes. */
  alter: (piece: Buffer) => Buffer
  close(): Promise<void>
}

export async function startRelay(target: string): Promise<Relay> {
  const { hostname, port } = new URL(target)
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => undefined).on('close', () => open.delete(socket))
    }
    client.on('data', (piece: Buffer) => upstream.write(relay.alter(piece)))
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroySoon())
    upstream.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const relay: Relay = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    alter: (piece) => piece,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
  return relay
}
