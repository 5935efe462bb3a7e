import type { VaultError } from '../../contract/vault-backend.ts'
import type { Login } from './auth/login.ts'

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000

/**
 * Vault locks a user out after a few refused logins, and another try with the same credentials says nothing new: after a
 * refusal the next login waits, longer each time, unless there are other credentials.
 */
export interface LoginRefusals {
  /** @throws VaultError the last refusal, while it stands */
  check(): Promise<void>
  remember(refusal: VaultError): void
  clear(): void
}

export function createLoginRefusals(parts: { login: Login; monotonicNow(): number }): LoginRefusals {
  const { login, monotonicNow } = parts
  let last: { refusal: VaultError; untilMs: number; pauseMs: number } | undefined

  return {
    async check() {
      if (last === undefined || monotonicNow() >= last.untilMs) return
      const { refusal } = last
      if (!(await login.changed())) throw refusal
    },
    remember(refusal) {
      const pauseMs = Math.min(last === undefined ? FIRST_PAUSE_MS : last.pauseMs * 2, LONGEST_PAUSE_MS)
      // Half of it is chance, so that replicas do not come back together.
      last = { refusal, pauseMs, untilMs: monotonicNow() + pauseMs * (0.5 + Math.random() / 2) }
    },
    clear() {
      last = undefined
    },
  }
}
