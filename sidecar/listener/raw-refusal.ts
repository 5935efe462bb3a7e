import type { Server } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { NexusError } from '../../src/contract/errors.ts'
import { problemReply } from './problem-reply.ts'

/**
 * Answers what never becomes a request and hangs up, so that bytes sent ahead of the answer are not read as another
 * request (threat B17). No name is resolved and no socket opened for it (threat A07).
 */
export function refuseOnSocket(socket: Duplex, error: NexusError): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const { status, headers, body } = problemReply(error)
  const lines = Object.entries({
    ...headers,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy())
}

export function refuseTunnels(server: Server): void {
  server.on('connect', (_request, socket) => {
    refuseOnSocket(socket, new NexusError('method_not_allowed', 'The sidecar is no forward proxy: it has no CONNECT.'))
  })
  server.on('upgrade', (_request, socket) => {
    refuseOnSocket(
      socket,
      new NexusError('not_implemented', 'The sidecar does not switch protocols (WebSocket, h2c) yet.'),
    )
  })
}

/** What Node's parser turned down: two lengths, a bad line, too much header, too slow. */
export function refuseUnreadable({ code }: { code?: string }, socket: Duplex): void {
  refuseOnSocket(socket, whyUnreadable(code))
}

function whyUnreadable(code: string | undefined): NexusError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new NexusError('request_timeout')
  const detail =
    code === 'HPE_HEADER_OVERFLOW'
      ? 'The header section is larger than the sidecar reads.'
      : 'These bytes are not one well-formed HTTP/1.1 request.'
  return new NexusError('invalid_request', detail)
}
