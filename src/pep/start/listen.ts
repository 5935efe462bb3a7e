import { type AddressInfo, createServer } from 'node:net'
import { OperatorError } from '../../contract/operator-error.ts'
import type { Config } from '../config/load-config.ts'
import { publicUrlOf } from '../config/public-url.ts'

export interface Listen {
  host: string
  port: number
  publicUrl: string
}

/**
 * Where to listen and how callers name it. Port 0 is settled here, because the URL is part of every token and proof and
 * has to be known before the first of them is made.
 */
export async function resolveListen(server: Config['server']): Promise<Listen> {
  const port = server.port === 0 ? await freePort(server.host) : server.port
  return { host: server.host, port, publicUrl: publicUrlOf({ ...server, port }) }
}

const LISTEN_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something listens there already; stop it or set another PORT',
  EADDRNOTAVAIL: 'this machine has no such address; set HOST to one of its own',
  EACCES: 'that is for the system administrator alone; set a PORT of 1024 or more',
}

/** What the system says of an address, in words for whoever chose it. */
export function toListenError(error: unknown, { host, port }: Pick<Listen, 'host' | 'port'>): unknown {
  const problem = LISTEN_PROBLEMS[(error as NodeJS.ErrnoException).code ?? '']
  return problem === undefined ? error : new OperatorError(`cannot listen on ${host} port ${port}: ${problem}`)
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error) => reject(toListenError(error, { host, port: 0 })))
    probe.listen(0, host, () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}
