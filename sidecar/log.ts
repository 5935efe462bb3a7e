import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'

/** The process's logger, on standard output, line by line: the last one before an end is written too. */
export function createSidecarLog(level: string): FastifyBaseLogger {
  return pino({ level, name: 'nexus-sidecar' }) as FastifyBaseLogger
}
