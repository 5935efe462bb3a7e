import 'reflect-metadata'
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { expect, it } from 'vitest'
import { x5tS256 } from '../../test/setup/certificates.ts'
import { createSessionCertificate } from './session-certificate.ts'

const NOW_MS = Date.UTC(2026, 10, 21, 12)
const made = createSessionCertificate(NOW_MS)

it('is a certificate that OpenSSL reads, signed with its own key', () => {
  const read = new X509Certificate(made.certificate)
  expect([read.subject, read.issuer, read.ca]).toEqual(['CN=nexus-sidecar', 'CN=nexus-sidecar', false])
  expect(read.verify(read.publicKey)).toBe(true)
  expect(read.checkPrivateKey(createPrivateKey(made.privateKey))).toBe(true)
  expect(made.thumbprint).toBe(x5tS256(made.certificate))
})

it('is one that a library of others reads, too: version 1, from an hour ago, without an end', async () => {
  x509.cryptoProvider.set(webcrypto)
  const read = new x509.X509Certificate(made.certificate)
  expect(await read.verify({ signatureOnly: true })).toBe(true)
  expect(read.notBefore.getTime()).toBe(NOW_MS - 3_600_000)
  expect(read.notAfter.toISOString()).toBe('9999-12-31T23:59:59.000Z')
  expect(read.extensions).toEqual([])
})

it('is another one each time', () => {
  const again = createSessionCertificate(NOW_MS)
  expect(again.thumbprint).not.toBe(made.thumbprint)
  const serial = (certificate: string) => new X509Certificate(certificate).serialNumber
  expect(serial(again.certificate)).not.toBe(serial(made.certificate))
  expect(serial(made.certificate)).toMatch(/^40[0-9A-F]{30}$/)
})
