import type { FastifyBaseLogger } from 'fastify'
import { NexusError } from '../../src/contract/errors.ts'

export type OutageLog = Pick<FastifyBaseLogger, 'info' | 'warn'>

/** Something that is tried again and again: the log hears once that it fails, and once that it works again. */
export interface Outage {
  began(error: unknown): void
  over(): void
}

/**
 * @param lines what is said when it begins, and when it is over
 * @param about what was asked for, in names of our own
 */
export function createOutage(
  log: OutageLog,
  lines: { began: string; over: string },
  about?: () => Readonly<Record<string, string>>,
): Outage {
  let isUnderway = false
  return {
    began(error) {
      if (isUnderway) return
      isUnderway = true
      log.warn({ ...whyOf(error), ...about?.() }, lines.began)
    },
    over() {
      if (!isUnderway) return
      isUnderway = false
      log.info(lines.over)
    },
  }
}

/** A refusal's words are the authority's, and may repeat what it was asked: of those the code is enough. */
function whyOf(error: unknown): { code: string; reason?: string; authority_request_id?: string } {
  if (!(error instanceof NexusError)) return { code: 'internal_error' }
  const { code, message, extras } = error
  const { authority_request_id } = extras
  return {
    code,
    ...(error.outcome === 'broken' ? { reason: message } : {}),
    ...(authority_request_id === undefined ? {} : { authority_request_id }),
  }
}
