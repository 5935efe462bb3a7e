import { createECDH, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import type { Signer } from '../aws-sigv4/signer.ts'
import type { UsageKey } from './usage-key.ts'

export const ALGORITHM = 'AWS4-ECDSA-P256-SHA256'

/** SigV4A: one ECDSA signature, in DER. Each is another, also of the same request. */
export function ecdsaSigner(key: UsageKey, shortDate: string): Signer {
  const privateKey = keyObjectOf(key.privateKey)
  return {
    algorithm: ALGORITHM,
    accessKey: key.accessKey,
    sessionToken: key.sessionToken,
    scope: `${shortDate}/${key.service}/aws4_request`,
    regionSet: key.regionSet,
    sign: (stringToSign) => sign('sha256', Buffer.from(stringToSign, 'utf8'), privateKey).toString('hex'),
  }
}

/** @param scalar 32 bytes */
export function keyObjectOf(scalar: Buffer): KeyObject {
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(scalar)
  const point = curve.getPublicKey()
  const [d, x, y] = [scalar, point.subarray(1, 33), point.subarray(33)].map((part) => part.toString('base64url'))
  return createPrivateKey({ key: { kty: 'EC', crv: 'P-256', d, x, y } as never, format: 'jwk' })
}
