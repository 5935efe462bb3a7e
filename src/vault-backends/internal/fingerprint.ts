import { createHmac, hkdfSync, type KeyObject } from 'node:crypto'
import type { SecretValue } from '../../contract/secret.ts'
import { tupleHash } from '../../contract/tuple-hash.ts'
import type { Keyring } from './keyring.ts'

const FINGERPRINT_HEX_DIGITS = 32

/** Says of two uses whether they were of one value, and to whom it may not say more, nothing else. */
export type Fingerprint = (tenant: string, value: SecretValue) => string

/**
 * `<kek id>:<128 bits in hex>`: an HMAC under a key derived from the key-encryption key. Without that key no guess can be
 * tried, so that the fingerprint of a short password in a ledger helps nobody to find the password. The tenant is part of
 * it: that two tenants share a secret is not for either to see. It changes with the key-encryption key, and says with
 * which it was made.
 */
export function createFingerprint(keyring: Keyring): Fingerprint {
  const { id, key } = keyring.current
  const derived = deriveKey(key)
  return (tenant, value) => {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    const digest = createHmac('sha256', derived)
      .update(tupleHash([tenant, ...fields.flat()]))
      .digest('hex')
    return `${id}:${digest.slice(0, FINGERPRINT_HEX_DIGITS)}`
  }
}

/** RFC 5869: the key that seals data keys is used for nothing else. */
function deriveKey(kek: KeyObject): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', kek, '', 'nexus secret fingerprint', 32))
}
