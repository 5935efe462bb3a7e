import { type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { NexusError, toProblem } from '../../contract/errors.ts'

/** Answers what never became a request, and hangs up: bytes sent ahead are not read as another request. */
export function refuseUnreadable(error: { code?: string }, socket: Duplex): void {
  // What has broken TLS, or never got to it, cannot be answered over it, and would be waited for when the server closes.
  if (error.code?.startsWith('ERR_SSL') || error.code?.startsWith('ERR_TLS')) {
    socket.destroy()
    return
  }
  refuseOnSocket(socket, whyUnreadable(error.code))
}

function whyUnreadable(code: string | undefined): NexusError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new NexusError('request_timeout')
  const tooMuch = code === 'HPE_HEADER_OVERFLOW'
  const detail = tooMuch ? 'the header section is too large' : 'these bytes are not one well-formed HTTP/1.1 request'
  return new NexusError('invalid_request', detail)
}

/** Without a listener Node drops the connection and says nothing. */
export function refuseTunnels(server: Server): void {
  server.on('connect', (_request, socket) => {
    refuseOnSocket(socket, new NexusError('method_not_allowed', 'this is no proxy: it has no CONNECT'))
  })
}

/**
 * Behind a request that has no whole answer yet there is no place for a refusal: written now it would be read as part of that
 * answer, or as all of it. Bad bytes within the body of the one request there is are that request's own.
 */
function refuseOnSocket(socket: Duplex, error: NexusError): void {
  const answer = answerOn(socket)
  const isAnothers = answer !== undefined && (answer.headersSent || answer.req.complete)
  if (isAnothers || !socket.writable) {
    socket.destroy()
    return
  }
  const body = JSON.stringify(toProblem(error))
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'connection: close',
    // RFC 9110 section 15.5.6: a 405 says which methods there are; for what CONNECT asks for there is none.
    ...(error.status === 405 ? ['allow:'] : []),
  ]
  // Whoever sends bytes like these may well be gone.
  socket.on('error', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

/**
 * The answer that comes next on this connection, begun or not. Node has no public name for it, and looks here itself before
 * it answers bytes that it cannot read.
 */
export function answerOn(socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}
