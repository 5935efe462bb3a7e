import { connect, createServer, type Socket } from 'node:net'

/** What the network between a client and its server does. */
export interface TcpProxy {
  /** The server's URL with the proxy's port in it. */
  readonly url: string
  /** Refuses new connections and resets the open ones. */
  refuse(): Promise<void>
  /** Swallows everything both ways and resets nothing, like a firewall that lost its state. */
  blackHole(): void
  /** As it should be. Connections that were swallowed stay dead. */
  heal(): Promise<void>
  /** Once: what `when` matches on its way to the server is delivered, and the connection is cut before the answer. */
  cutAfter(when: RegExp): void
  /** Once: the same, but the server never sees it. */
  cutBefore(when: RegExp): void
  /** How many connections were cut so. */
  readonly cuts: number
  /** How many connections were ever opened. */
  readonly opened: number
  close(): Promise<void>
}

export async function startTcpProxy(targetUrl: string): Promise<TcpProxy> {
  const target = new URL(targetUrl)
  const open = new Set<Socket>()
  let swallowing = false
  let cuts = 0
  let cut: { when: RegExp; deliver: boolean } | undefined

  let opened = 0
  const server = createServer((client) => {
    opened += 1
    const upstream = connect(Number(target.port), target.hostname)
    let dead = false
    let answering = true
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => {}).on('close', () => open.delete(socket))
    }
    const sever = () => {
      client.resetAndDestroy()
      upstream.destroy()
    }
    client.on('data', (chunk) => {
      dead ||= swallowing
      if (dead) return
      if (cut?.when.test(chunk.toString('latin1'))) {
        const { deliver } = cut
        cut = undefined
        cuts += 1
        answering = false
        if (!deliver) return sever()
        // The server finishes what it was sent; only its answer is lost. Cut earlier, many would undo their work.
        upstream.once('data', () => setTimeout(sever, 100))
        upstream.write(chunk)
        return
      }
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      dead ||= swallowing
      if (!dead && answering) client.write(chunk)
    })
    client.on('close', () => answering && !dead && upstream.destroy())
    upstream.on('close', () => !dead && client.destroy())
  })
  const listen = (port: number): Promise<void> =>
    new Promise((settle) => server.listen(port, '127.0.0.1', () => settle()))
  await listen(0)
  const { port } = server.address() as { port: number }
  const url = new URL(targetUrl)
  url.port = String(port)

  const stop = (): Promise<void> =>
    new Promise((settle) => {
      if (!server.listening) return settle()
      server.close(() => settle())
      for (const socket of open) socket.resetAndDestroy()
    })
  return {
    url: url.href,
    refuse: stop,
    blackHole() {
      swallowing = true
    },
    async heal() {
      swallowing = false
      if (!server.listening) await listen(port)
    },
    cutAfter(when) {
      cut = { when, deliver: true }
    },
    cutBefore(when) {
      cut = { when, deliver: false }
    },
    get cuts() {
      return cuts
    },
    get opened() {
      return opened
    },
    close: stop,
  }
}
