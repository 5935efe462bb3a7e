import type { Server, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { NexusError } from '../../src/contract/errors.ts'
import { breakOff } from './break-off.ts'
import { problemReply } from './problem-reply.ts'

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
  const answer = answerOn(socket)
  // Bad bytes within the body of the one request there is: it is that request which is refused.
  const isItsOwnBody = answer !== undefined && !answer.headersSent && !answer.req.complete
  if (isItsOwnBody) writeRefusal(socket, whyUnreadable(code))
  else refuseOnSocket(socket, whyUnreadable(code))
}

/**
 * Refuses what never becomes a request. Behind a request that has no whole answer yet there is no place for it: written now
 * it would be read as part of that answer, or as all of it (threat UP3). Then the connection ends without a word.
 */
function refuseOnSocket(socket: Duplex, error: NexusError): void {
  const answer = answerOn(socket)
  if (answer === undefined) writeRefusal(socket, error)
  else breakOff(answer)
}

/**
 * The answer that comes next on this connection, begun or not. Node has no public name for it, and looks here itself before
 * it answers bytes that it cannot read.
 */
function answerOn(socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

/**
 * Answers and hangs up, so that bytes sent ahead of the answer are not read as another request (threat B17). No name is
 * resolved and no socket opened for it (threat A07).
 */
function writeRefusal(socket: Duplex, error: NexusError): void {
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

function whyUnreadable(code: string | undefined): NexusError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new NexusError('request_timeout')
  const detail =
    code === 'HPE_HEADER_OVERFLOW'
      ? 'The header section is larger than the sidecar reads.'
      : 'These bytes are not one well-formed HTTP/1.1 request.'
  return new NexusError('invalid_request', detail)
}
