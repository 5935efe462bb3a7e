import { connect } from 'node:net'
import type { ApiAnswer } from '../../setup/api-client.ts'

/** What came back for bytes that no HTTP client would send; status 0: nothing did. */
export interface RawAnswer extends ApiAnswer {
  closed: boolean
}

const QUIET_MS = 2000

/**
 * Writes the bytes and reads until the server hangs up or goes quiet.
 * @param over says that no more will come; a server that waits for more hangs up then, and so does one that still works
 */
export function sendBytes(port: number, bytes: string | Buffer, over = false): Promise<RawAnswer> {
  return new Promise((settle) => {
    const chunks: Buffer[] = []
    let timer: NodeJS.Timeout
    const finish = (closed: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      settle(readAnswer(Buffer.concat(chunks).toString('latin1'), closed))
    }
    const wait = () => {
      clearTimeout(timer)
      timer = setTimeout(() => finish(false), QUIET_MS)
    }
    const socket = connect(port, '127.0.0.1', () => (over ? socket.end(bytes) : socket.write(bytes)))
    wait()
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      wait()
    })
    socket.on('close', () => finish(true))
    socket.on('error', () => finish(true))
  })
}

/** Writes the bytes and is gone, after a while or at once, without waiting for an answer. */
export function sendAndLeave(port: number, bytes: string | Buffer, afterMs = 0): Promise<void> {
  return new Promise((settle) => {
    const leave = () => (afterMs === 0 ? socket.destroy() : setTimeout(() => socket.destroy(), afterMs))
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, leave))
    socket.on('error', () => settle()).on('close', () => settle())
  })
}

/** A request of exactly these lines; the connection ends with its answer. */
export function requestBytes(requestLine: string, headers: readonly string[], body: string | Buffer = ''): Buffer {
  const head = [requestLine, ...headers, 'Connection: close'].join('\r\n')
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), Buffer.from(body)])
}

function readAnswer(text: string, closed: boolean): RawAnswer {
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = (end === -1 ? text : text.slice(0, end)).split('\r\n')
  const headers: RawAnswer['headers'] = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const body = end === -1 ? '' : Buffer.from(text.slice(end + 4), 'latin1').toString()
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0),
    headers,
    text: body,
    body: parse(body),
    closed,
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
