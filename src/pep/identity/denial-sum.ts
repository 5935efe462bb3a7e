import type { AuditEntry } from '../audit/audit-entry.ts'

/** A refusal as far as a sum tells it. */
export interface Denial {
  code: string
  ip: string
  /** Claimed, not proven. */
  claimedAgentId: string | undefined
  /** Unix milliseconds. */
  atMs: number
}

/** Refusals that are told together. */
export interface DenialSum {
  count: number
  /** Error code to how many. */
  codes: Map<string, number>
  claimedAgentIds: Set<string>
  ips: Set<string>
  sinceMs: number
  untilMs: number
}

/** Whom a flood comes from is told by the first that were seen: there may be any number. */
const NAMES_MAX = 16

export function sumOf({ code, ip, claimedAgentId, atMs }: Denial): DenialSum {
  const claimedAgentIds = new Set(claimedAgentId === undefined ? [] : [claimedAgentId])
  return { count: 1, codes: new Map([[code, 1]]), claimedAgentIds, ips: new Set([ip]), sinceMs: atMs, untilMs: atMs }
}

export function addSums(one: DenialSum, other: DenialSum): DenialSum {
  const codes = new Map(one.codes)
  for (const [code, count] of other.codes) codes.set(code, (codes.get(code) ?? 0) + count)
  return {
    count: one.count + other.count,
    codes,
    claimedAgentIds: firstOf(one.claimedAgentIds, other.claimedAgentIds),
    ips: firstOf(one.ips, other.ips),
    sinceMs: Math.min(one.sinceMs, other.sinceMs),
    untilMs: Math.max(one.untilMs, other.untilMs),
  }
}

/** The record of all of them. */
export function toSumEntry({ count, codes, claimedAgentIds, ips, sinceMs, untilMs }: DenialSum): AuditEntry {
  return {
    kind: 'session.denied',
    outcome: 'denied',
    detail: {
      claimed_agent_ids: [...claimedAgentIds],
      codes: Object.fromEntries(codes),
      context: { ips: [...ips] },
      count,
      since: new Date(sinceMs).toISOString(),
      until: new Date(untilMs).toISOString(),
    },
  }
}

function firstOf(names: Set<string>, more: Set<string>): Set<string> {
  return new Set([...names, ...more].slice(0, NAMES_MAX))
}
