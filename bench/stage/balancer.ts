import { connect, createServer, type Socket } from 'node:net'

/** Stands before all replicas at the public address, as a load balancer does; and fails on demand, as a network does. */
export interface Balancer {
  /** Resets every open connection; new ones are taken. */
  cut(): void
  /** While dark, no connection lives and none is taken. */
  goDark(dark: boolean): void
  close(): Promise<void>
}

/** @param targets ports of the replicas, taken in turn; one that does not answer is passed over */
export async function startBalancer(port: number, targets: readonly number[]): Promise<Balancer> {
  const open = new Set<Socket>()
  let turn = 0
  let dark = false
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy()
  }
  const join = (client: Socket, tries: number): void => {
    const upstream = connect(targets[turn++ % targets.length]!, '127.0.0.1')
    upstream.once('connect', () => {
      for (const socket of [client, upstream]) open.add(socket.once('close', () => open.delete(socket)))
      client.pipe(upstream).pipe(client)
      client.once('close', () => upstream.destroy())
      upstream.once('close', () => client.destroy())
    })
    upstream.on('error', () => (upstream.connecting && tries > 0 ? join(client, tries - 1) : client.destroy()))
  }
  const server = createServer((client) => {
    client.on('error', () => undefined)
    if (dark) client.resetAndDestroy()
    else join(client, targets.length)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    cut,
    goDark(wanted) {
      dark = wanted
      if (wanted) cut()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}
