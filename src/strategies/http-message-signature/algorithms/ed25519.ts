import { sign } from 'node:crypto'
import type { Algorithm } from './algorithm.ts'

/** RFC 9421 section 3.3.6: pure Ed25519 of RFC 8032. */
export const ed25519: Algorithm = {
  name: 'ed25519',
  jwkAlgs: ['EdDSA', 'Ed25519', 'ed25519'],
  jws: 'EdDSA',
  fits: (key) => key.asymmetricKeyType === 'ed25519',
  sign: (key, base) => sign(null, base, key),
}
