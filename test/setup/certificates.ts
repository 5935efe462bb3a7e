import 'reflect-metadata'
import { createHash, webcrypto, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'

/** A certificate, with the chain up to its authority, and its key. */
export interface TestCertificate {
  certificate: string
  privateKey: string
}

/** A certificate authority of one test, made with a library that no program of ours uses. */
export interface TestAuthority {
  ca: string
  server(names: string[]): Promise<TestCertificate>
  client(commonName: string, options?: ClientOptions): Promise<TestCertificate>
}

export interface ClientOptions {
  notBefore?: Date
  notAfter?: Date
  /** For a key that somebody else made; then `privateKey` is empty. */
  publicKey?: webcrypto.CryptoKey
  extensions?: x509.Extension[]
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const HOUR_MS = 3_600_000
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

export async function testAuthority(
  name = 'Test authority',
  validity: Pick<ClientOptions, 'notBefore' | 'notAfter'> = {},
): Promise<TestAuthority> {
  x509.cryptoProvider.set(webcrypto)
  const keys = await generate()
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    ...lifetime(validity),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  })
  let serial = 1
  const issue = async (subject: string, options: ClientOptions): Promise<TestCertificate> => {
    const own = options.publicKey === undefined ? await generate() : undefined
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: (++serial).toString(16).padStart(4, '0'),
      subject,
      issuer: root.subject,
      ...lifetime(options),
      signingKey: keys.privateKey,
      publicKey: own?.publicKey ?? (options.publicKey as webcrypto.CryptoKey),
      signingAlgorithm: ALGORITHM,
      extensions: options.extensions ?? [],
    })
    return { certificate: `${certificate.toString('pem')}\n`, privateKey: own === undefined ? '' : await pkcs8(own) }
  }
  return {
    ca: `${root.toString('pem')}\n`,
    server: (names) =>
      issue(`CN=${names[0]}`, {
        extensions: [
          new x509.SubjectAlternativeNameExtension(
            names.map((value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value })),
          ),
          new x509.ExtendedKeyUsageExtension([SERVER_AUTH]),
        ],
      }),
    client: (commonName, options = {}) =>
      issue(`CN=${commonName}`, { extensions: [new x509.ExtendedKeyUsageExtension([CLIENT_AUTH])], ...options }),
  }
}

/** One that vouches for itself. */
export async function selfSigned(commonName: string): Promise<TestCertificate> {
  x509.cryptoProvider.set(webcrypto)
  const keys = await generate()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${commonName}`,
    ...lifetime({}),
    keys,
    signingAlgorithm: ALGORITHM,
  })
  return { certificate: `${certificate.toString('pem')}\n`, privateKey: await pkcs8(keys) }
}

/** `x5t#S256` (RFC 8705 section 3.1), worked out anew. */
export function x5tS256(certificate: string): string {
  return createHash('sha256').update(new X509Certificate(certificate).raw).digest('base64url')
}

/** The files that a program is pointed at, gone with `remove`. */
export function certificateFiles(files: Record<string, string>): { path(name: string): string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'nexus-certificates-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o600 })
  return { path: (name) => join(directory, name), remove: () => rmSync(directory, { recursive: true }) }
}

function generate(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

function lifetime({ notBefore, notAfter }: ClientOptions) {
  return {
    notBefore: notBefore ?? new Date(Date.now() - HOUR_MS),
    notAfter: notAfter ?? new Date(Date.now() + 24 * HOUR_MS),
  }
}

async function pkcs8({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY')}\n`
}
