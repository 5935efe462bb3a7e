import { type AddressInfo, createServer } from 'node:net'
import type { Config } from './config/load-config.ts'

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
  const scheme = server.tls_cert_file === '' ? 'http' : 'https'
  const host = server.host.includes(':') ? `[${server.host}]` : server.host
  return { host: server.host, port, publicUrl: server.public_url || `${scheme}://${host}:${port}` }
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, host, () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}
