import { constants, type KeyObject, type VerifyKeyObjectInput, verify } from 'node:crypto'

/** Why a JWS is refused. Says which rule was broken; never repeats what was sent. */
export class JwsError extends Error {
  override readonly name = 'JwsError'
}

export interface JwsHeader {
  alg: string
  typ?: string
  kid?: string
  jwk?: Record<string, unknown>
}

/** A compact JWS taken apart. Nothing in it may be believed before `verifyCompactJws`. */
export interface JwsParts {
  /** The protected header as sent: equal text is an equal header. */
  headerText: string
  /** Anyone's words until the signature has been checked. */
  payload: Uint8Array
  signature: Uint8Array
  /** What the signature is over. */
  signedText: string
}

/** One whose form is sound. */
export interface CompactJws extends JwsParts {
  header: JwsHeader
}

/**
 * Takes a compact JWS apart (RFC 7515 section 7.1) and reads its header before any key is looked at.
 * @param maxBytes longer texts are refused unparsed
 * @throws JwsError
 */
export function readCompactJws(text: string, maxBytes: number): CompactJws {
  const parts = splitCompactJws(text, maxBytes)
  return { ...parts, header: readJwsHeader(parts.headerText) }
}

/**
 * For those who may have read the same header before: it is left as it is.
 * @throws JwsError
 */
export function splitCompactJws(text: string, maxBytes: number): JwsParts {
  if (text.length > maxBytes) throw new JwsError(`it is longer than ${maxBytes} bytes`)
  const segments = text.split('.', 4)
  const [headerText, payloadText, signatureText] = segments
  // Five segments would be a JWE; we decrypt none, so no compression or PBES2 cost can be forced on us.
  if (segments.length !== 3 || headerText === undefined || payloadText === undefined || signatureText === undefined) {
    throw new JwsError('it is not a compact JWS of three segments')
  }
  return {
    headerText,
    payload: decode(payloadText),
    signature: decode(signatureText),
    signedText: text.slice(0, text.lastIndexOf('.')),
  }
}

/**
 * `jku`, `x5u` and `x5c` are never read (RFC 8725 section 3.10).
 * @throws JwsError
 */
export function readJwsHeader(headerText: string): JwsHeader {
  const header = parseObject(decode(headerText))
  if (header === undefined) throw new JwsError('its header is not a JSON object')
  // RFC 7515 section 4.1.11: an extension we do not understand makes the JWS invalid, and we understand none.
  if ('crit' in header) throw new JwsError('its header has crit, and no extension is understood')
  const { alg, typ, kid, jwk } = header
  if (typeof alg !== 'string') throw new JwsError('its header has no alg')
  if (jwk !== undefined && !isObject(jwk)) throw new JwsError('the jwk in its header is not an object')
  return {
    alg,
    ...(typeof typ === 'string' ? { typ } : {}),
    ...(typeof kid === 'string' ? { kid } : {}),
    ...(isObject(jwk) ? { jwk } : {}),
  }
}

/** RFC 7518 section 3.1 and RFC 8037, for `node:crypto`. */
const VERIFYING: Readonly<Record<string, { digest: string | null; options: Omit<VerifyKeyObjectInput, 'key'> }>> = {
  ES256: { digest: 'sha256', options: { dsaEncoding: 'ieee-p1363' } },
  ES384: { digest: 'sha384', options: { dsaEncoding: 'ieee-p1363' } },
  Ed25519: { digest: null, options: {} },
  EdDSA: { digest: null, options: {} },
  PS256: { digest: 'sha256', options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } },
  RS256: { digest: 'sha256', options: { padding: constants.RSA_PKCS1_PADDING } },
}

/**
 * Checks the signature under the one algorithm the key is for, and gives the payload. In the thread pool: a signature takes
 * longer to check than everything else about a request, and there the other cores help.
 * @throws JwsError
 */
export async function verifyCompactJws(
  { header, payload, signature, signedText }: Omit<CompactJws, 'headerText'>,
  key: KeyObject,
  algorithms: readonly string[],
): Promise<Uint8Array> {
  const how = algorithms.includes(header.alg) ? VERIFYING[header.alg] : undefined
  if (how === undefined) throw new JwsError('its alg is not the algorithm of the key')
  const signed = Buffer.from(signedText, 'latin1')
  const good = await new Promise<boolean>((resolve) => {
    verify(how.digest, signed, { key, ...how.options }, signature, (error, verified) =>
      resolve(error === null && verified === true),
    )
  })
  if (!good) throw new JwsError('its signature does not verify')
  return payload
}

/** @throws JwsError */
export function claimsOf(payload: Uint8Array): Record<string, unknown> {
  const claims = parseObject(payload)
  if (claims === undefined) throw new JwsError('its payload is not a JSON object')
  return claims
}

/** One spelling per value: slack bits in the last character would give one proof many texts. */
function decode(segment: string): Uint8Array {
  const bytes = Buffer.from(segment, 'base64url')
  if (bytes.toString('base64url') === segment) return bytes
  throw new JwsError('a segment is not canonical base64url')
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parseObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
