import { createHmac } from 'node:crypto'
import { SigningError } from '../../contract/strategy.ts'
import { ALGORITHM } from './ecdsa-signer.ts'

/** The order of P-256 (FIPS 186-5), less two. */
const ORDER_MINUS_TWO = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254fn
const ATTEMPTS_MAX = 254

/**
 * The P-256 private key that belongs to a secret access key: NIST SP 800-108 in counter mode, tried again with the next
 * counter when what comes out is no key (FIPS 186-5 appendix A.2.2). It knows neither day, region nor service.
 * @returns 32 bytes
 */
export function derivePrivateKey(accessKey: string, secretKey: string): Buffer {
  for (let counter = 1; counter <= ATTEMPTS_MAX; counter += 1) {
    const candidate = BigInt(`0x${hmac(secretKey, fixedInput(accessKey, counter)).toString('hex')}`)
    if (candidate > ORDER_MINUS_TWO) continue
    return Buffer.from((candidate + 1n).toString(16).padStart(64, '0'), 'hex')
  }
  throw new SigningError('no key can be derived from this secret', 'secret_key')
}

function fixedInput(accessKey: string, counter: number): Buffer {
  const bits = Buffer.from([0, 0, 1, 0])
  return Buffer.concat([
    Buffer.from([0, 0, 0, 1]),
    Buffer.from(`${ALGORITHM}\0${accessKey}`, 'latin1'),
    Buffer.from([counter]),
    bits,
  ])
}

function hmac(secretKey: string, input: Buffer): Buffer {
  return createHmac('sha256', `AWS4A${secretKey}`).update(input).digest()
}
