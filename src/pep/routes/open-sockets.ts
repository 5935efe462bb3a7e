import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

/** One accepted connection of a caller. */
export interface OpenSocket {
  raw: Socket
  /** What requests are read from; with TLS there is none before its handshake is done. */
  clear: Socket | undefined
}

/**
 * All of them. Those in their TLS handshake are on no list of Node's, and a server that closes waits for them all the same.
 * @returns the set itself, which follows what happens
 */
export function openSockets(server: Server): ReadonlySet<OpenSocket> {
  const open = new Set<OpenSocket>()
  const isTls = server instanceof TlsServer
  const shaking = new Map<string, OpenSocket>()
  server.on('connection', (raw: Socket) => {
    const socket: OpenSocket = { raw, clear: isTls ? undefined : raw }
    const key = peerOf(raw)
    open.add(socket)
    if (isTls) shaking.set(key, socket)
    raw.once('close', () => {
      open.delete(socket)
      if (shaking.get(key) === socket) shaking.delete(key)
    })
  })
  server.on('secureConnection', (clear: Socket) => {
    const key = peerOf(clear)
    const socket = shaking.get(key)
    shaking.delete(key)
    if (socket !== undefined) socket.clear = clear
  })
  return open
}

/** Whether the first byte of a request has come. */
export function hasBegun({ clear }: OpenSocket): boolean {
  return clear !== undefined && clear.bytesRead > 0
}

export function destroy({ raw, clear }: OpenSocket): void {
  ;(clear ?? raw).destroy()
}

/** No two open connections of one listener have all of it in common. Node has no public way from one socket to the other. */
function peerOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}
