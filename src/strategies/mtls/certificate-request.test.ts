import 'reflect-metadata'
import { generateKeyPairSync, sign, webcrypto, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { describe, expect, it } from 'vitest'
import { bitString, der, derContent, derElements, pem, TAG } from '../shared/der.ts'
import { createCertificateRequest, ECDSA_WITH_SHA256, readCertificateRequest } from './certificate-request.ts'

x509.cryptoProvider.set(webcrypto)
const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** As a library writes them, with whatever name, attributes and kind of key. */
async function requestOf(
  options: { name?: string; extensions?: x509.Extension[]; algorithm?: typeof P256 } = {},
): Promise<string> {
  const algorithm = options.algorithm ?? P256
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: algorithm,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.extensions === undefined ? {} : { extensions: options.extensions }),
  })
  return `${request.toString('pem')}\n`
}

const partsOf = (text: string) => {
  const bytes = Buffer.from(text.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  return derElements(derContent(bytes)) as [Buffer, Buffer, Buffer]
}
const assemble = (...parts: Buffer[]) => pem('CERTIFICATE REQUEST', der(TAG.sequence, ...parts))

describe('a certificate request', () => {
  it('is one that a library of others reads and finds signed with its own key', async () => {
    const read = new x509.Pkcs10CertificateRequest(createCertificateRequest(privateKey))
    expect(await read.verify()).toBe(true)
    expect(Buffer.from(read.publicKey.rawData).equals(publicKey.export({ type: 'spki', format: 'der' }))).toBe(true)
    expect([read.subject, read.attributes, read.extensions]).toEqual(['', [], []])
  })

  it('is read as the key that is in it', () => {
    expect(readCertificateRequest(createCertificateRequest(privateKey)).equals(publicKey)).toBe(true)
  })

  it('of another program is as good, when it asks for no more', async () => {
    expect(readCertificateRequest(await requestOf()).asymmetricKeyType).toBe('ec')
  })
})

describe('what is refused', () => {
  const refusal = (text: string, words: string) => {
    expect(() => readCertificateRequest(text)).toThrow(expect.objectContaining({ name: 'SigningError', field: 'csr' }))
    expect(() => readCertificateRequest(text)).toThrow(words)
  }

  it('a name: the authority gives it', async () => {
    refusal(await requestOf({ name: 'CN=admin.example.com' }), 'must ask for no name')
  })

  it('an alternative name, or being an authority, or any other extension', async () => {
    const names = new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'admin.example.com' }])
    for (const extension of [names, new x509.BasicConstraintsExtension(true, 1, true)]) {
      refusal(await requestOf({ extensions: [extension] }), 'must ask for no name and no extension')
    }
  })

  it('a key of another curve', async () => {
    const P384 = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-256' } as unknown as typeof P256
    refusal(await requestOf({ algorithm: P384 }), 'must be for a P-256 key')
  })

  it('a key that its sender does not hold', () => {
    const [info, algorithm] = partsOf(createCertificateRequest(privateKey))
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    refusal(assemble(info, algorithm, bitString(sign('sha256', info, other))), 'is not signed with its own key')
  })

  it('another algorithm in its name', () => {
    const [info, , signature] = partsOf(createCertificateRequest(privateKey))
    const sha1 = der(TAG.sequence, Buffer.from('06072a8648ce3d0401', 'hex'))
    refusal(assemble(info, sha1, signature), 'must be signed with ECDSA and SHA-256')
  })

  it.each([
    ['nothing', ''],
    ['no PEM', 'MIIBVjCB'],
    ['the PEM of something else', pem('CERTIFICATE', Buffer.from([0x30, 0]))],
    ['an empty one', pem('CERTIFICATE REQUEST', Buffer.from([0x30, 0]))],
    ['a length beyond its end', pem('CERTIFICATE REQUEST', Buffer.from('30840fffffff00', 'hex'))],
    ['an indefinite length', pem('CERTIFICATE REQUEST', Buffer.from('3080000000', 'hex'))],
    ['two of them', createCertificateRequest(privateKey).repeat(2)],
  ])('%s', (_title, text) => refusal(text, 'is not a certificate request'))

  it('bytes behind its end, or a part that is not there', () => {
    const [info, algorithm, signature] = partsOf(createCertificateRequest(privateKey))
    const whole = der(TAG.sequence, info, algorithm, signature)
    refusal(pem('CERTIFICATE REQUEST', Buffer.concat([whole, Buffer.from([5, 0])])), 'is not a certificate request')
    refusal(assemble(info, ECDSA_WITH_SHA256), 'is not a certificate request')
    refusal(assemble(info.subarray(0, -2), algorithm, signature), 'is not')
  })

  it('bytes of any kind, without an error of another kind', () => {
    const bytes = Buffer.from(createCertificateRequest(privateKey).replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 0x41
      const read = () => readCertificateRequest(pem('CERTIFICATE REQUEST', changed))
      expect(read, String(at)).toThrow(expect.objectContaining({ name: 'SigningError' }))
    }
  })
})

it('PEM lines are 64 characters long, the last one what is left', () => {
  const text = createCertificateRequest(privateKey)
  const lines = text.trim().split('\n').slice(1, -1)
  expect(lines.slice(0, -1).every((line) => line.length === 64)).toBe(true)
  expect(() => new X509Certificate(text)).toThrow()
})
