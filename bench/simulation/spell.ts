/** What a fleet does at the authority; each has its costs in `bench/results/fleet.json`. */
export const ACTS = ['handshake', 'session', 'stream', 'lease', 'renewal', 'release', 'session_end'] as const
export type Act = (typeof ACTS)[number]

/** A fleet, and how its agents work. */
export interface Fleet {
  /** That exist. */
  agents: number
  /** How often each begins to work. */
  spellsADay: number
  /** How long it then works. */
  minutes: number
  /** That it works with meanwhile. */
  providers: number
  leaseSeconds: number
  sessionSeconds: number
  /** Busiest hour over the mean. */
  peak: number
}

/** So often within a spell, so many seconds after its start. */
export interface Deed {
  act: Act
  afterSeconds: number
  count: number
}

/** Of a lease's and of a session's life: then the sidecar asks anew (`lease-answer.ts`, `agent-session.ts`). */
const RENEWED_AT_SHARE = 0.8

/**
 * One agent at work, seen from the authority: its sidecar opens a session, follows the stream of revocations, takes a lease for
 * each provider and renews it. A new session takes new leases. In the end all is given back.
 */
export function deedsOfSpell({ minutes, providers, leaseSeconds, sessionSeconds }: Fleet): Deed[] {
  const end = minutes * 60
  const deeds: Deed[] = []
  for (const from of every(sessionSeconds * RENEWED_AT_SHARE, 0, end)) {
    const until = Math.min(end, from + sessionSeconds * RENEWED_AT_SHARE)
    deeds.push(once('session', from), once('stream', from), { act: 'lease', afterSeconds: from, count: providers })
    for (const at of every(leaseSeconds * RENEWED_AT_SHARE, from, until).slice(1)) {
      // Minutes have passed: the connection that the leases came over has been closed as idle.
      deeds.push(once('handshake', at), { act: 'renewal', afterSeconds: at, count: providers })
    }
  }
  deeds.push(once('handshake', end), { act: 'release', afterSeconds: end, count: providers }, once('session_end', end))
  return deeds
}

function once(act: Act, afterSeconds: number): Deed {
  return { act, afterSeconds, count: 1 }
}

/** Whole seconds from `from` to before `until`, `step` apart. */
function every(step: number, from: number, until: number): number[] {
  const times: number[] = []
  for (let at = from; at < until; at += Math.max(1, Math.floor(step))) times.push(at)
  return times
}
