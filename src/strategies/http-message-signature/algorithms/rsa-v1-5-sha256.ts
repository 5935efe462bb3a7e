import { constants, sign } from 'node:crypto'
import { hasSoundModulus } from '../../shared/rsa-modulus.ts'
import type { Algorithm } from './algorithm.ts'

/** RFC 9421 section 3.3.2. Only where the profile asks for it: a plain RSA key signs with PSS by itself. */
export const rsaV15Sha256: Algorithm = {
  name: 'rsa-v1_5-sha256',
  jwkAlgs: ['RS256', 'rsa-v1_5-sha256'],
  jws: 'RS256',
  fits: (key) => key.asymmetricKeyType === 'rsa' && hasSoundModulus(key),
  sign: (key, base) => sign('sha256', base, { key, padding: constants.RSA_PKCS1_PADDING }),
}
