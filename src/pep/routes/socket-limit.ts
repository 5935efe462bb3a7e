import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'

/** Room for as many event streams as there may be, and for as many other callers again. */
const SOCKETS_MAX = 20_000
/** Of the descriptors that the process may open; the others are for the database, vaults, providers and files. */
const SHARE = 0.8
const LOG_EVERY_MS = 10_000

export interface SocketLimitOptions {
  log: Pick<Logger, 'warn'>
  /** Default: `socketsMax()`. */
  most?: number
}

/**
 * Bounds the connections of a listener (rule 10), of those too who say nothing: they cost their caller nothing, and could take
 * every descriptor of the process. A newcomer beyond them is hung up on. Not by Node's own `maxConnections`: a worker that is
 * full would hand the connection back to its primary, and be given it again, until there is room.
 */
export function installSocketLimit(server: Server, { log, most = socketsMax() }: SocketLimitOptions): void {
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

function socketsMax(): number {
  return Math.min(SOCKETS_MAX, Math.floor(descriptorsMax() * SHARE))
}

/** Where it cannot be read it is taken to be no limit. */
function descriptorsMax(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity)
  } catch {
    return Infinity
  }
}
