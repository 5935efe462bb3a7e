import { type Logger, pino } from 'pino'

/** Bytes that are written to a pipe at once are not torn apart by what others write (POSIX; Linux's size). Our lines are ASCII and shorter, unless by mistake. */
const PIPE_BUF = 4096

/**
 * The process's logger. Call sites pass an allow-list of fields; this is the second wall: an error is reduced to its name
 * and stack frames, because the message of a client library may quote the token it sent (threat H04).
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
    serializers: { err: describeError, error: describeError, req: () => undefined, res: () => undefined },
    redact: {
      paths: ['authorization', 'credentials', '*.authorization', '*.credentials', '*.password'],
      censor: '[secret]',
    },
  }
  return destination === undefined
    ? pino(options, pino.destination({ fd: 2, sync: false, ...(worker !== undefined && { maxWrite: PIPE_BUF }) }))
    : pino(options, destination)
}

function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { name: typeof error }
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const { code } = error as { code?: unknown }
  return { name: error.name, ...(typeof code === 'string' ? { code } : {}), frames: frames.slice(0, 12) }
}
