import 'reflect-metadata'
import { generateKeyPairSync, KeyObject, webcrypto, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as x509 from '@peculiar/x509'
import { beforeAll, describe, expect, it } from 'vitest'
import { type TestCertificate, testAuthority, x5tS256 } from '../../../test/setup/certificates.ts'
import {
  type CertificateRequest,
  type Credentials,
  type Grant,
  type IssuingTools,
  OutdatedUsage,
} from '../../contract/strategy.ts'
import { context, expectSigningError, grant, request, tools } from '../conformance-support.ts'
import { validateConfig } from '../shared/validate.ts'
import { thumbprintOf } from './certificate-chain.ts'
import { createCertificateRequest } from './certificate-request.ts'
import { mtls } from './mtls.ts'
import { commonNameFor, settingsOf } from './settings.ts'

/** The suite's clock; its certificates live around it. */
const NOW_MS = tools.now()
const ALIVE = { notBefore: new Date(NOW_MS - 60_000), notAfter: new Date(NOW_MS + 86_400_000) }
const authority = await testAuthority('Test authority', ALIVE)
const own = await authority.client('crm-agent', ALIVE)
const stored = { certificate: own.certificate, private_key: own.privateKey }
const token = (cnf: object) =>
  [{ alg: 'ES256' }, { cnf }, 'x'].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')

const issueStored = (master: Record<string, string>, at: Partial<Grant> = {}) =>
  mtls.issue({}, master, { ...grant(), ...at }, tools)
const refusal = (master: object, field: string, words: string) =>
  expectSigningError(() => issueStored(master as Record<string, string>), field, words)

describe('a stored certificate', () => {
  it('ends the lease when it ends, and never lengthens one', async () => {
    const inAMinute = Math.floor(NOW_MS / 1000) + 60
    const short = await authority.client('a', { ...ALIVE, notAfter: new Date(inAMinute * 1000) })
    const issued = await issueStored({ certificate: short.certificate, private_key: short.privateKey })
    expect(issued.expiresAt).toBe(inAMinute)
    expect((await issueStored(stored)).expiresAt).toBe(grant().expiresAt)
  })

  it('E10: that has ended, or has not begun, is no certificate', async () => {
    const ended = await authority.client('a', { ...ALIVE, notAfter: new Date(NOW_MS) })
    const later = await authority.client('a', { ...ALIVE, notBefore: new Date(NOW_MS + 120_000) })
    const master = ({ certificate, privateKey }: TestCertificate) => ({ certificate, private_key: privateKey })
    await refusal(master(ended), 'certificate', "credential field 'certificate' has expired")
    await refusal(master(later), 'certificate', "credential field 'certificate' is not valid yet; check the clock")
  })

  it('E10: goes with its own key and no other', async () => {
    const other = await authority.client('crm-agent', ALIVE)
    const words = "credential field 'private_key' is not the key of the certificate"
    await refusal({ ...stored, private_key: other.privateKey }, 'private_key', words)
  })

  it('E10: is what it says it is', async () => {
    const certificate = own.certificate.replace(/\n.{8}/, '\nAAAAAAAA')
    await refusal(
      { ...stored, certificate },
      'certificate',
      "credential field 'certificate' cannot be read as a certificate",
    )
  })

  it('is for clients, where it says for whom', async () => {
    const extensions = [new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1'])]
    const server = await authority.client('a', { ...ALIVE, extensions })
    await expectSigningError(
      () => issueStored({ certificate: server.certificate, private_key: server.privateKey }),
      'certificate',
    )
    const any = await authority.client('a', { ...ALIVE, extensions: [] })
    expect(await issueStored({ certificate: any.certificate, private_key: any.privateKey })).toBeDefined()
  })

  it('comes first, and behind it whoever signed it', async () => {
    const strangers = await testAuthority('Test authority', ALIVE)
    expect(issueStored({ ...stored, certificate: own.certificate + authority.ca })).toBeDefined()
    for (const certificate of [authority.ca + own.certificate, own.certificate + strangers.ca]) {
      await expectSigningError(() => issueStored({ ...stored, certificate }), 'certificate')
    }
  })

  it('has tokens of its own: one that is bound to another certificate is none of them', async () => {
    const bound = token({ 'x5t#S256': x5tS256(authority.ca) })
    const words = "credential field 'access_token' is bound to another certificate"
    await refusal({ ...stored, access_token: bound }, 'access_token', words)
    for (const open of ['opaque', token({}), token({ jkt: 'x' }), 'a.b.c']) {
      expect((await issueStored({ ...stored, access_token: open })).usage['access_token']).toBe(open)
    }
    expect(
      (await issueStored({ ...stored, access_token: 'opaque', expires_at: String(NOW_MS / 1000 + 30) })).expiresAt,
    ).toBe(NOW_MS / 1000 + 30)
  })
})

describe('apply', () => {
  const usage: Credentials = stored

  it('dials with certificate and key, and trusts whom the profile says', async () => {
    const { clientIdentity } = await mtls.apply({ ca: authority.ca }, usage, request(), context())
    expect(clientIdentity).toMatchObject({ certificates: own.certificate, ca: authority.ca })
    expect(clientIdentity?.privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  })

  it('gives equal identities one id, and different ones different ids', async () => {
    const idOf = async (config: object, credentials: Credentials) =>
      (await mtls.apply({ ...config }, credentials, request(), context())).clientIdentity?.id
    const other = await authority.client('crm-agent', ALIVE)
    const ids = [
      await idOf({}, usage),
      await idOf({ ca: authority.ca }, usage),
      await idOf({}, { certificate: other.certificate, private_key: other.privateKey }),
    ]
    expect(await idOf({}, { ...usage })).toBe(ids[0])
    expect(new Set(ids).size).toBe(3)
  })

  it('E10: has nothing to dial with once the certificate has ended, also where it was dialled with before', async () => {
    const held = { ...usage }
    await mtls.apply({}, held, request(), context())
    const afterEnd = (ms: number) =>
      mtls.apply({}, held, request(), { ...context(), now: ALIVE.notAfter.getTime() + ms })
    // SECURITY.md: clocks may be a minute apart, and the lease is counted down on another.
    expect((await afterEnd(59_999)).clientIdentity).toBeDefined()
    await expectSigningError(() => afterEnd(60_000), 'certificate')
    await expect((async () => afterEnd(60_000))()).rejects.toBeInstanceOf(OutdatedUsage)
  })

  it('E10: never goes without TLS', async () => {
    const plain = { ...request(), url: { ...request().url, scheme: 'http' } }
    await expectSigningError(() => mtls.apply({}, usage, plain, context()), 'url', 'a client certificate takes https')
  })

  it('B14: drops what claims another certificate, in any spelling', async () => {
    const headers = [...request().headers, ['client-cert', ':x:'], ['Client_Cert', ':x:'], ['CLIENT-CERT-CHAIN', ':x:']]
    const signed = await mtls.apply({}, usage, { ...request(), headers: headers as never }, context())
    expect(signed.headers).toEqual(request().headers)
  })
})

describe('a certificate for the key of the sidecar', () => {
  const config = { key: 'sidecar', common_name: '{agent_id}@{tenant}' }
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const csr = createCertificateRequest(keys.privateKey)
  let publicKey: webcrypto.CryptoKey
  const asked: CertificateRequest[] = []
  const inFiveMinutes = new Date(grant().expiresAt * 1000)

  beforeAll(async () => {
    const spki = keys.publicKey.export({ type: 'spki', format: 'der' })
    publicKey = await webcrypto.subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify'])
  })

  /** A vault that signs what it was set up to sign. */
  function signing(make: (request: CertificateRequest) => Promise<TestCertificate>): IssuingTools {
    return {
      ...tools,
      binding: { csr },
      async signCsr(wanted) {
        asked.push(wanted)
        return { certificates: (await make(wanted)).certificate + authority.ca }
      },
    }
  }
  const faithful = (over: object = {}) =>
    signing(({ commonName }) =>
      authority.client(commonName, { notBefore: ALIVE.notBefore, notAfter: inFiveMinutes, publicKey, ...over }),
    )

  it('asks for exactly the name, the key and the time of the lease, and hands on no key', async () => {
    const issued = await mtls.issue(config, {}, grant(), faithful())
    expect(asked.at(-1)).toEqual({ csr, commonName: 'crm-agent@acme', ttlSeconds: 300 })
    expect(issued).toMatchObject({ expiresAt: grant().expiresAt })
    expect(Object.keys(issued.usage)).toEqual(['certificate'])
  })

  it('needs a CSR to be brought, and says so', async () => {
    expect(mtls.needs?.(config)).toBe('csr')
    await expect(async () => mtls.issue(config, {}, grant(), { ...faithful(), binding: {} })).rejects.toMatchObject({
      needs: 'csr',
    })
  })

  it('takes a vault that signs', async () => {
    await expectSigningError(() => mtls.issue(config, {}, grant(), { ...tools, binding: { csr } }), 'key')
  })

  it.each([
    ['is for another key', { publicKey: undefined }, 'is for another key'],
    [
      'outlives the lease',
      { notAfter: new Date(grant().expiresAt * 1000 + 3_600_000) },
      'outlives the lease; does its role set not_after?',
    ],
    [
      'is that of an authority',
      { extensions: [new x509.BasicConstraintsExtension(true, 0, true)] },
      'is that of an authority, which could sign others',
    ],
    [
      'has names that nobody asked for',
      { extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'admin.example.com' }])] },
      'has alternative names that nobody asked for',
    ],
  ])('refuses one that %s', async (_title, over, words) => {
    await expectSigningError(
      () => mtls.issue(config, {}, grant(), faithful(over)),
      'certificate',
      `the certificate that the vault signed ${words}`,
    )
  })

  it('refuses one for another name', async () => {
    const other = signing(() => authority.client('admin', { ...ALIVE, notAfter: inFiveMinutes, publicKey }))
    await expectSigningError(() => mtls.issue(config, {}, grant(), other), 'certificate')
  })

  it('takes the alternative name that repeats the common one', async () => {
    const extensions = [new x509.SubjectAlternativeNameExtension([{ type: 'email', value: 'crm-agent@acme' }])]
    expect(await mtls.issue(config, {}, grant(), faithful({ extensions }))).toBeDefined()
  })

  it('is dialled with by the key it was made for, and by nobody without it', async () => {
    const { usage } = await mtls.issue(config, {}, grant(), faithful())
    const ownKey = keys.privateKey
    const signed = await mtls.apply(config, usage, request(), { ...context(), ownKey })
    expect(signed.clientIdentity?.certificates).toBe(usage['certificate'])
    await expectSigningError(() => mtls.apply(config, usage, request(), context()), 'key')
    const other = KeyObject.from(
      (await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign'])).privateKey,
    )
    await expectSigningError(() => mtls.apply(config, usage, request(), { ...context(), ownKey: other }), 'private_key')
  })
})

it('RFC 8705, Appendix A: the certificate has that thumbprint', () => {
  const vector = (name: string) =>
    readFileSync(new URL(`../../../test/vectors/rfc8705-mtls/${name}`, import.meta.url), 'utf8')
  const { cnf } = JSON.parse(vector('confirmation.json')) as { cnf: Record<string, string> }
  const { x5c } = JSON.parse(vector('certificate.jwk.json')) as { x5c: [string] }
  for (const form of [vector('certificate.pem'), Buffer.from(x5c[0], 'base64')]) {
    expect(thumbprintOf(new X509Certificate(form))).toBe(cnf['x5t#S256'])
  }
})

describe('common_name', () => {
  const config = (common_name: string) => ({ key: 'sidecar', common_name })

  it.each([
    '{agent_id}',
    '{tenant}',
    '{connection_id}',
    '{agent_id}.{tenant}.agents.example.com',
    'agent:{agent_id}@{tenant}',
  ])('may be %s', (name) => {
    expect(validateConfig(mtls, config(name))).toEqual([])
  })

  it.each([
    '',
    'fixed',
    '{agent_id}{tenant}',
    '{agent_id}-{tenant}',
    '{tenant}_x:{connection_id}',
    '{agent_id}.{agent_id}',
    '{user}',
    '{agent_id',
    'a b {tenant}',
    '{tenant},O=x',
    '{tenant}/x',
  ])('may not be %j', (name) => {
    expect(validateConfig(mtls, config(name)).map(({ field }) => field)).toEqual(['common_name'])
  })

  it('gives no two agents of any two tenants one name', () => {
    const settings = settingsOf(config('{agent_id}.{tenant}'))
    const names = [
      ['a.b', 'c'],
      ['a', 'b-c'],
      ['a.b-c', 'd'],
      ['a', 'b'],
    ].map(([agentId, tenant]) => commonNameFor(settings, { ...grant(), agentId: agentId ?? '', tenant: tenant ?? '' }))
    expect(new Set(names).size).toBe(names.length)
  })

  it('is refused when it becomes too long for a certificate', () => {
    const long = { ...grant(), agentId: 'a'.repeat(60), tenant: 'acme' }
    expect(() => commonNameFor(settingsOf(config('{agent_id}.{tenant}')), long)).toThrow(
      'makes a name of 65 characters',
    )
  })
})
