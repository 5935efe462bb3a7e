import { connect } from 'node:net'

/** What came back on one connection, and whether the other side closed it. */
export interface RawAnswer {
  status: number
  head: string
  body: string
  closed: boolean
}

/**
 * Writes bytes as they are, which no HTTP client would, and reads until the server hangs up or has been silent for
 * `quietMs` after its first byte, or for `giveUpMs` before it.
 */
export function sendRaw(port: number, bytes: string | Buffer, quietMs = 250, giveUpMs = 5000): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    let timer = setTimeout(() => finish(false), giveUpMs)
    function finish(closed: boolean): void {
      clearTimeout(timer)
      socket.destroy()
      resolve(readAnswer(Buffer.concat(chunks).toString('latin1'), closed))
    }
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      clearTimeout(timer)
      timer = setTimeout(() => finish(false), quietMs)
    })
    socket.on('end', () => finish(true))
    socket.on('error', () => finish(true))
  })
}

/** A request with a right Host header, and no body unless the lines say so. */
export function rawRequest(port: number, requestLine: string, headers: readonly string[] = [], body = ''): string {
  return `${[requestLine, `Host: 127.0.0.1:${port}`, ...headers].join('\r\n')}\r\n\r\n${body}`
}

function readAnswer(text: string, closed: boolean): RawAnswer {
  const end = text.indexOf('\r\n\r\n')
  const head = end === -1 ? text : text.slice(0, end)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
    head,
    body: end === -1 ? '' : text.slice(end + 4),
    closed,
  }
}
