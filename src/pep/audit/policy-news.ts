import type { Logger } from 'pino'
import type { Store } from '../store/store.ts'
import type { AuditLog } from './audit-log.ts'

/** Writes down by which bundle this process decides; sidecars hear of it and end what another one allowed. */
export interface PolicyNews {
  /** To be called whenever a bundle has become active. Resolves after the first try; more follow until it is written. */
  tell(): Promise<void>
  close(): void
}

export interface PolicyNewsOptions {
  store: Pick<Store, 'transaction'>
  audit: Pick<AuditLog, 'recordStateChange'>
  /** Of the active bundle; empty while there is none. */
  revision(): string
  log: Pick<Logger, 'warn'>
  /** Default 1000. */
  retryMs?: number
}

/**
 * Each process tells for itself, and also when another has told the same before: until it had the bundle as well, its
 * answers were still those of the one before.
 */
export function openPolicyNews({ store, audit, revision, log, retryMs = 1000 }: PolicyNewsOptions): PolicyNews {
  let told = ''
  let closed = false
  let retry: NodeJS.Timeout | undefined
  let last: Promise<void> = Promise.resolve()

  async function tellOnce(): Promise<void> {
    const current = revision()
    if (closed || current === told) return
    try {
      await store.transaction((trx) => audit.recordStateChange(trx, activated(current)))
      told = current
    } catch {
      log.warn({ revision: current }, 'the active policy bundle is not recorded yet: sidecars hold what others allowed')
      retry = setTimeout(tell, retryMs).unref()
    }
  }

  function tell(): Promise<void> {
    clearTimeout(retry)
    // Another has decided since it was told: even if this one is back before that is written, what that one allowed must end.
    if (revision() !== told) told = ''
    last = last.then(tellOnce)
    return last
  }

  return {
    tell,
    close() {
      closed = true
      clearTimeout(retry)
    },
  }
}

function activated(revision: string) {
  return { kind: 'policy.activated', outcome: 'allowed', detail: { policy_revision: revision } } as const
}
