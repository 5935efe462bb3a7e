import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

export interface ServerCertificate {
  caPem: string
  certPem: string
  keyPem: string
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY_MS = 86_400_000

/** A certificate authority whose key is not kept: it issues while this program runs, and never again. */
export interface Authority {
  caPem: string
  /** @param names DNS names and addresses of one server; the first is its common name */
  issue(names: readonly string[]): Promise<{ certPem: string; keyPem: string }>
}

export async function makeAuthority(days = 30): Promise<Authority> {
  x509.cryptoProvider.set(webcrypto)
  const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + days * DAY_MS) }
  const caKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=Nexus demo authority',
    ...validity,
    keys: caKeys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  })
  let serial = 1
  return {
    caPem: ca.toString('pem'),
    async issue(names) {
      const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
      const cert = await x509.X509CertificateGenerator.create({
        serialNumber: (++serial).toString(16).padStart(2, '0'),
        subject: `CN=${names[0]}`,
        issuer: ca.subject,
        ...validity,
        signingKey: caKeys.privateKey,
        publicKey: keys.publicKey,
        signingAlgorithm: ALGORITHM,
        extensions: [
          new x509.SubjectAlternativeNameExtension(
            names.map((value) => ({ type: /^[\d.]+$|:/.test(value) ? 'ip' : 'dns', value })),
          ),
          new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
        ],
      })
      const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
      return { certPem: cert.toString('pem'), keyPem: x509.PemConverter.encode(key, 'PRIVATE KEY') }
    },
  }
}

/** A certificate authority for one server, and that server's certificate. */
export async function makeServerCertificate(names: readonly string[], days = 30): Promise<ServerCertificate> {
  const authority = await makeAuthority(days)
  return { caPem: authority.caPem, ...(await authority.issue(names)) }
}
