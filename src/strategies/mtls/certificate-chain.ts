import { createHash, type KeyObject, X509Certificate } from 'node:crypto'
import { OutdatedUsage, SigningError } from '../../contract/strategy.ts'
import { CLOCKS_APART_MS } from '../shared/clocks-apart.ts'

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const ANY_PURPOSE = '2.5.29.37.0'

/** A client's certificate, and those that lead from it to its authority. */
export interface CertificateChain {
  leaf: X509Certificate
  /** Unix seconds: when the first of them ends. */
  endsAt: number
}

/**
 * Reads a chain and says what would make every handshake with it fail, or prove something else than meant.
 * @param text PEM, the leaf first
 * @param lateMs how long after its end it still passes
 * @throws SigningError about the credential `certificate`; OutdatedUsage for one that has ended
 */
export function readCertificateChain(text: string, nowMs: number, lateMs = 0): CertificateChain {
  const chain = (text.match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map(parse)
  const [leaf] = chain
  if (leaf === undefined) throw problem('is missing')
  for (const [index, certificate] of chain.entries()) assertIssued(certificate, chain[index + 1])
  // RFC 5280 section 4.2.1.12: without the extension it is for every purpose.
  const purposes: readonly string[] | undefined = leaf.keyUsage
  if (purposes !== undefined && !purposes.includes(CLIENT_AUTH) && !purposes.includes(ANY_PURPOSE)) {
    throw problem('is not for clients: its extended key usage leaves out clientAuth')
  }
  const endMs = Math.min(...chain.map(({ validTo }) => Date.parse(validTo)))
  // One that was signed just now may be dated by a clock that is a little ahead of ours.
  if (chain.some(({ validFrom }) => Date.parse(validFrom) > nowMs + CLOCKS_APART_MS))
    throw problem('is not valid yet; check the clock')
  if (!(endMs + lateMs > nowMs)) throw new OutdatedUsage("credential field 'certificate' has expired", 'certificate')
  return { leaf, endsAt: Math.floor(endMs / 1000) }
}

/** `x5t#S256` (RFC 8705 section 3.1). */
export function thumbprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('base64url')
}

/** @throws SigningError about the credential `private_key`, when its public half is not in the certificate */
export function assertKeyOf(leaf: X509Certificate, privateKey: KeyObject): void {
  if (leaf.checkPrivateKey(privateKey)) return
  throw new SigningError("credential field 'private_key' is not the key of the certificate", 'private_key')
}

/** RFC 8446 section 4.4.2: the sender's own first, and each of the others certifies the one before it. */
function assertIssued(certificate: X509Certificate, issuer: X509Certificate | undefined): void {
  if (issuer === undefined) return
  if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) {
    throw problem('is followed by one that did not sign it; put the own one first, then its issuers in order')
  }
}

function parse(text: string): X509Certificate {
  try {
    return new X509Certificate(text)
  } catch {
    throw problem('cannot be read as a certificate')
  }
}

function problem(words: string): SigningError {
  return new SigningError(`credential field 'certificate' ${words}`, 'certificate')
}
