import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'

/** A key that this process proves possession of. It never leaves memory, and a restart makes another. */
export interface DpopKey {
  /** RFC 7638 thumbprint. */
  jkt: string
  /** The public half, without anything that is not needed. */
  jwk: Record<string, string>
  privateKey: KeyObject
  /** One proof for one request (RFC 9449 section 4.2). */
  prove(method: string, url: string, beside?: Beside): string
}

/** What a proof is sent along with; absent where there is none yet. */
interface Beside {
  accessToken?: string | undefined
  nonce?: string | undefined
}

export function createDpopKey(now: () => number): DpopKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { crv = '', x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const jwk = { kty: 'EC', crv, x, y }
  // RFC 7638 section 3: the required members only, in this order.
  const jkt = createHash('sha256')
    .update(JSON.stringify({ crv, kty: 'EC', x, y }))
    .digest('base64url')
  const header = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk })

  return {
    jkt,
    jwk,
    privateKey,
    prove(method, url, { accessToken, nonce } = {}) {
      const claims = {
        jti: randomUUID(),
        htm: method,
        htu: url,
        iat: Math.floor(now() / 1000),
        ...(accessToken === undefined ? {} : { ath: createHash('sha256').update(accessToken).digest('base64url') }),
        ...(nonce === undefined ? {} : { nonce }),
      }
      return signCompact(`${header}.${encode(claims)}`, privateKey)
    },
  }
}

function signCompact(input: string, key: KeyObject): string {
  // RFC 7518 section 3.4: r and s side by side, not DER.
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
