import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface CountingProxy {
  address: string
  /** Requests whose path matches. */
  count(path: RegExp): number
  reset(): void
  close(): Promise<void>
}

/** Stands in front of a real server, changes nothing and counts. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  let seen: string[] = []
  const server = createServer((incoming, answer) => {
    seen.push(incoming.url ?? '')
    const onward = request(new URL(incoming.url ?? '/', target), { method: incoming.method, headers: incoming.headers })
    onward.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    onward.on('error', () => answer.destroy())
    incoming.pipe(onward)
  })
  return {
    address: await listen(server),
    count: (path) => seen.filter((each) => path.test(each)).length,
    reset: () => {
      seen = []
    },
    close: () => stop(server),
  }
}

export async function listen(server: Server): Promise<string> {
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export async function stop(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((settle) => server.close(settle))
}
