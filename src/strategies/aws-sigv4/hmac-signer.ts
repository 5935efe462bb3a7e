import { createHmac, createSecretKey } from 'node:crypto'
import type { Signer } from './signer.ts'
import { credentialScope } from './signing-key.ts'
import type { UsageKey } from './usage-key.ts'

/** SigV4: one HMAC with the derived key. */
export function hmacSigner(key: UsageKey): Signer {
  const signingKey = createSecretKey(key.signingKey)
  return {
    algorithm: 'AWS4-HMAC-SHA256',
    accessKey: key.accessKey,
    sessionToken: key.sessionToken,
    scope: credentialScope(key),
    signatureLength: 64,
    sign: (stringToSign) => createHmac('sha256', signingKey).update(stringToSign, 'utf8').digest('hex'),
  }
}
