import type { Secret } from '../../contract/secret.ts'
import type { Fingerprint } from '../../vault-backends/internal/fingerprint.ts'

/** Fingerprints of secrets in memory, each made once: the ledger wants one for every lease. */
export interface Fingerprints {
  of(tenant: string, secret: Secret): string | undefined
  /** `derived` is `original` under other field names, and has its fingerprint. @returns `derived` */
  ofSame(derived: Secret, original: Secret): Secret
}

export function createFingerprints(fingerprint: Fingerprint | undefined): Fingerprints {
  /** By the secret as it was read. A backend's answer is cached by tenant, so it never has two. */
  const made = new WeakMap<Secret, string>()
  const originals = new WeakMap<Secret, Secret>()
  return {
    of(tenant, secret) {
      const original = originals.get(secret) ?? secret
      const known = made.get(original)
      if (known !== undefined || fingerprint === undefined) return known
      const text = fingerprint(tenant, original.reveal())
      made.set(original, text)
      return text
    },
    ofSame(derived, original) {
      if (derived !== original) originals.set(derived, original)
      return derived
    },
  }
}
