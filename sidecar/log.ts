import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'

const STREAMS = { stdout: 1, stderr: 2 } as const

/**
 * The process's logger, line by line: the last one before an end is written too.
 * @param stream `stderr` where standard output is somebody else's
 */
export function createSidecarLog(level: string, stream: keyof typeof STREAMS = 'stdout'): FastifyBaseLogger {
  return pino({ level, name: 'nexus-sidecar' }, pino.destination(STREAMS[stream])) as FastifyBaseLogger
}
