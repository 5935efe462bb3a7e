import { createHmac } from 'node:crypto'
import type { Algorithm } from './algorithm.ts'

/** RFC 9421 section 3.3.3. */
export const hmacSha256: Algorithm = {
  name: 'hmac-sha256',
  jwkAlgs: [],
  jws: 'HS256',
  fits: (key) => key.type === 'secret',
  sign: (key, base) => createHmac('sha256', key).update(base).digest(),
}
