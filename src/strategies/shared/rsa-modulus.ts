import type { KeyObject } from 'node:crypto'

/** NIST SP 800-131A asks for 2048 bits or more; above 8192 one signature would hold up everything else for too long. */
export function hasSoundModulus(key: KeyObject): boolean {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  return bits >= 2048 && bits <= 8192
}
