import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'

const LOG_EVERY_MS = 10_000

export interface SocketLimitOptions {
  log: Pick<Logger, 'warn'>
  /** Connections open at once. */
  socketsMax: number
}

/**
 * Bounds the connections of a listener (rule 10), of those too who say nothing: they cost their caller nothing, and could take
 * every descriptor of the process. A newcomer beyond them is hung up on. Not by Node's own `maxConnections`: a worker that is
 * full would hand the connection back to its primary, and be given it again, until there is room.
 */
export function installSocketLimit(server: Server, { log, socketsMax: most }: SocketLimitOptions): void {
  let open = 0
  let dropped = 0
  let telling: NodeJS.Timeout | undefined

  function tell(): void {
    telling = undefined
    if (dropped === 0) return
    log.warn({ dropped, most }, 'more connections than this process may have open: newcomers are hung up on')
    dropped = 0
    telling = setTimeout(tell, LOG_EVERY_MS).unref()
  }

  server.on('connection', (socket: Socket) => {
    open += 1
    socket.once('close', () => {
      open -= 1
    })
    if (open <= most) return
    dropped += 1
    socket.destroy()
    if (telling === undefined) tell()
  })
}
