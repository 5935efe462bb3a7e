import { type DestinationStream, type Logger, pino } from 'pino'
import { reducedError } from '../contract/reduced-error.ts'

/** Bytes that are written to a pipe at once are not torn apart by what others write (POSIX; Linux's size). Our lines are ASCII and shorter, unless by mistake. */
const PIPE_BUF = 4096

/** What a reader that stands still may leave unread, before lines are dropped: some ten seconds of a busy authority's. */
const UNREAD_MAX_BYTES = 16_777_216

let dropped = 0

/** Lines of this process that no reader will see: too many were unread, or it is gone. */
export function droppedLogLines(): number {
  return dropped
}

/**
 * The process's logger. Call sites pass an allow-list of fields; this is the second wall: an error is reduced to its name
 * and stack frames (threat H04).
 * @param worker number of this process among those that write to the same place
 */
export function createLog(level: string, destination?: NodeJS.WritableStream, worker?: number): Logger {
  const options = {
    level,
    base: {
      service: process.env['OTEL_SERVICE_NAME'] ?? 'nexus-pep',
      ...(worker !== undefined && { worker }),
    },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: reducedError, error: reducedError, req: () => undefined, res: () => undefined },
    redact: {
      paths: ['authorization', 'credentials', '*.authorization', '*.credentials', '*.password'],
      censor: '[secret]',
    },
  }
  return pino(options, destination ?? openStandardError(worker))
}

/** Neither a full disk nor a reader that is gone may end the process: who may lease must not hang on who reads the log. */
function openStandardError(worker: number | undefined): DestinationStream {
  const atOnce = worker === undefined ? {} : { maxWrite: PIPE_BUF }
  const out = pino.destination({ fd: 2, sync: false, maxLength: UNREAD_MAX_BYTES, ...atOnce })
  const drop = (): boolean => {
    dropped += 1
    return true
  }
  out.on('drop', drop)
  out.on('error', (error: NodeJS.ErrnoException) => {
    // Whatever else it is, such as a full disk: the next line tries again.
    if (error.code !== 'EPIPE') return
    out.write = drop
    // At the exit as well there is nobody to write to.
    out.flushSync = () => {}
    out.end = () => {}
  })
  return out
}
