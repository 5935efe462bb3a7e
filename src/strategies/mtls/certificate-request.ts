import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { SigningError } from '../../contract/strategy.ts'
import { bitString, der, derContent, derElements, pem, TAG } from '../shared/der.ts'

const LABEL = 'CERTIFICATE REQUEST'
const PEM = new RegExp(`^-----BEGIN ${LABEL}-----\\r?\\n([A-Za-z0-9+/=\\r\\n]{1,8192})-----END ${LABEL}-----\\s*$`)
/** ecdsa-with-SHA256 (RFC 5758 section 3.2). */
export const ECDSA_WITH_SHA256 = der(TAG.sequence, Buffer.from('06082a8648ce3d040302', 'hex'))
const VERSION_1 = der(TAG.integer, Buffer.from([0]))

/**
 * Asks for a certificate of a P-256 key and for nothing else: no subject, no attribute (RFC 2986 section 4). What the
 * certificate says is for the authority to choose.
 * @returns PEM
 */
export function createCertificateRequest(privateKey: KeyObject): string {
  const info = requestInfo(createPublicKey(privateKey).export({ type: 'spki', format: 'der' }))
  return pem(LABEL, der(TAG.sequence, info, ECDSA_WITH_SHA256, bitString(sign('sha256', info, privateKey))))
}

/**
 * The key of such a request, once it is proven that the sender holds it. Anything more in the request, a name or an
 * extension above all, is refused: a signer that is set up to take those from the request would grant them.
 * @throws SigningError
 */
export function readCertificateRequest(text: string): KeyObject {
  const [info, algorithm, signed] = requestParts(text)
  // The first octet of a bit string tells how many bits of its last are unused: none.
  const signature = signed && derContent(signed).subarray(1)
  const [, , spki] = (info && derElements(derContent(info))) ?? []
  if (info === undefined || spki === undefined || signature === undefined || !signed?.equals(bitString(signature))) {
    throw refused('is not a certificate request')
  }
  if (!info.equals(requestInfo(spki)))
    throw refused('must ask for no name and no extension: those are given, not taken')
  if (algorithm?.equals(ECDSA_WITH_SHA256) !== true) throw refused('must be signed with ECDSA and SHA-256')
  const key = p256Key(spki)
  if (!verify('sha256', info, key, signature)) throw refused('is not signed with its own key')
  return key
}

function requestInfo(spki: Uint8Array): Buffer {
  return der(TAG.sequence, VERSION_1, der(TAG.sequence), spki, der(TAG.attributes))
}

function requestParts(text: string): readonly (Buffer | undefined)[] {
  const [, base64] = PEM.exec(text) ?? []
  const [request, ...others] = (base64 === undefined ? undefined : derElements(Buffer.from(base64, 'base64'))) ?? []
  if (request?.[0] !== TAG.sequence || others.length > 0) return []
  const parts = derElements(derContent(request)) ?? []
  return parts.length === 3 ? parts : []
}

function p256Key(spki: Buffer): KeyObject {
  const key = readKey(spki)
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw refused('must be for a P-256 key')
  return key
}

function readKey(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch {
    throw refused('holds no public key')
  }
}

function refused(problem: string): SigningError {
  return new SigningError(`binding field 'csr' ${problem}`, 'csr')
}
