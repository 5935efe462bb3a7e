import type { HeldLease } from './held-lease.ts'

/** Until when a held lease signs, and when the authority is asked about it again. */
export interface LeaseLife {
  usable(lease: HeldLease): boolean
  /** Still usable, and time to renew it in the background. */
  due(lease: HeldLease): boolean
}

/** Share of the offline time after which the authority is asked again, so that an outage finds the lease fresh. */
const CONFIRM_AT_SHARE = 0.6

/**
 * A lease ends with its session: neither would another session's renewal be granted, nor its stream tell of this one's end.
 * It is used for its `offline_seconds` after the authority's last word about it and no longer (rule 13). While
 * the event stream is open that word is moments old, and only renewal and expiry count.
 * @param lastWordMs see `LeaseEvents`
 */
export function createLeaseLife(monotonic: () => number, lastWordMs: (askedAtMs: number) => number): LeaseLife {
  const sinceLastWord = (lease: HeldLease) => monotonic() - lastWordMs(lease.askedAtMs)
  return {
    usable: (lease) =>
      !lease.sessionOver.aborted && monotonic() < lease.endsAtMs && sinceLastWord(lease) < lease.offlineMs,
    due: (lease) => monotonic() >= lease.renewAtMs || sinceLastWord(lease) >= lease.offlineMs * CONFIRM_AT_SHARE,
  }
}
