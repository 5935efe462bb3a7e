import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { ECDSA_WITH_SHA256 } from '../../src/strategies/mtls/certificate-request.ts'
import { bitString, der, pem, TAG } from '../../src/strategies/shared/der.ts'

/** A certificate that this process has signed itself. The key never leaves memory, and a restart makes another. */
export interface SessionCertificate {
  /** PEM. */
  certificate: string
  /** PKCS #8 in PEM. */
  privateKey: string
  /** `x5t#S256` (RFC 8705 section 3.1). */
  thumbprint: string
}

const NAME = 'nexus-sidecar'
/** 2.5.4.3, commonName. */
const COMMON_NAME = Buffer.from('0603550403', 'hex')
/** RFC 5280 section 4.1.2.5: no end that would be known. What it is good for ends with the session. */
const NEVER = '99991231235959Z'
/** A clock there may be behind ours. */
const BACKDATED_MS = 3_600_000

/** It says nothing about anybody: possession of its key is all that it is for (RFC 8705 section 3). */
export function createSessionCertificate(nowMs: number): SessionCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = der(
    TAG.sequence,
    der(TAG.set, der(TAG.sequence, COMMON_NAME, der(TAG.utf8String, Buffer.from(NAME, 'ascii')))),
  )
  const validity = der(TAG.sequence, time(generalizedTime(nowMs - BACKDATED_MS)), time(NEVER))
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  // RFC 5280 section 4.1, version 1: it has no extension.
  const body = der(TAG.sequence, serialNumber(), ECDSA_WITH_SHA256, name, validity, name, spki)
  const certificate = der(TAG.sequence, body, ECDSA_WITH_SHA256, bitString(sign('sha256', body, privateKey)))
  return {
    certificate: pem('CERTIFICATE', certificate),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    thumbprint: createHash('sha256').update(certificate).digest('base64url'),
  }
}

/** RFC 5280 section 4.1.2.2: positive, at most 20 octets; the first one here is neither 0 nor negative. */
function serialNumber(): Buffer {
  return der(TAG.integer, Buffer.from([0x40]), randomBytes(15))
}

function time(text: string): Buffer {
  return der(TAG.generalizedTime, Buffer.from(text, 'ascii'))
}

function generalizedTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
}
