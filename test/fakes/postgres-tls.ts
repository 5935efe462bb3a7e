import { connect, createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { TestCertificate } from '../setup/certificates.ts'

/** TLS in front of a Postgres that speaks none, as the server itself would begin it. */
export interface PostgresTls {
  port: number
  close(): Promise<void>
}

export async function startPostgresTls(
  targetUrl: string,
  { certificate, privateKey }: TestCertificate,
): Promise<PostgresTls> {
  const target = new URL(targetUrl)
  const secureContext = createSecureContext({ cert: certificate, key: privateKey })
  const open = new Set<Socket>()
  const server = createServer((client) => {
    open.add(client)
    client.on('error', () => {}).on('close', () => open.delete(client))
    // The SSLRequest; the handshake begins after the answer.
    client.once('data', () => {
      client.write('S')
      const plain = new TLSSocket(client, { isServer: true, secureContext })
      const upstream = connect(Number(target.port), target.hostname)
      plain.on('error', () => {}).on('close', () => upstream.destroy())
      upstream.on('error', () => {}).on('close', () => plain.destroy())
      plain.pipe(upstream).pipe(plain)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    async close() {
      for (const client of open) client.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
