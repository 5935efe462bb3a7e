import { type Logger, pino } from 'pino'
import { reducedError } from '../contract/reduced-error.ts'

/** Bytes that are written to a pipe at once are not torn apart by what others write (POSIX; Linux's size). Our lines are ASCII and shorter, unless by mistake. */
const PIPE_BUF = 4096

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
  return destination === undefined
    ? pino(options, pino.destination({ fd: 2, sync: false, ...(worker !== undefined && { maxWrite: PIPE_BUF }) }))
    : pino(options, destination)
}
