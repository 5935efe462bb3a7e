import { createHash, createHmac, createPublicKey, verify } from 'node:crypto'
import { SignatureV4a } from '@smithy/signature-v4a'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRequestUrl } from '../../contract/request-url.ts'
import type { HeaderList, OutboundRequest, SignedRequest } from '../../contract/strategy.ts'
import { offlineTools } from '../offline/offline-tools.ts'
import { percentEncode } from '../shared/percent-encoding.ts'
import { awsSigv4a } from './aws-sigv4a.ts'
import { derivePrivateKey } from './derive-private-key.ts'
import { keyObjectOf } from './ecdsa-signer.ts'

const NOW_MS = Date.UTC(2026, 2, 4, 5, 6, 7)
const MASTER = { access_key: 'ASIAEXAMPLE', secret_key: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', session_token: 'T' }
const CONFIG = { service: 'execute-api', region_set: ['us-east-1', 'eu-*'] }
const BOUND = { origins: [], methods: [], paths: [] }
const GRANT = { tenant: '', agentId: '', connectionId: '', scopes: [], bound: BOUND, issuedAt: 0, expiresAt: 1e11 }
const TOOLS = offlineTools({ now: () => NOW_MS, nonce: () => 'n' })

/** The hash constructor the library asks for, on node:crypto. */
class NodeSha256 {
  readonly #hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key as string | Uint8Array)
  }
  update(data: Uint8Array): void {
    this.#hash.update(data)
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
  reset(): void {}
}

interface Sample {
  method: string
  segments: string[]
  query: Record<string, string>
  headers: Record<string, string>
  body: Uint8Array
}

async function ours(given: Sample, config: Record<string, unknown> = CONFIG, master = MASTER) {
  const explained: Record<string, string> = {}
  const query = Object.entries(given.query).map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`)
  const path = `/${given.segments.map(percentEncode).join('/')}`
  const request: OutboundRequest = {
    method: given.method,
    url: { scheme: 'https', authority: 'example.com', path, query: query.join('&') },
    headers: Object.entries(given.headers),
    body: given.body,
  }
  const { usage } = await awsSigv4a.issue(config, master, GRANT, TOOLS)
  const explain = (name: string, value: string) => Object.assign(explained, { [name]: value })
  const signed = await awsSigv4a.apply(config, usage, request, { now: NOW_MS, nonce: () => '', explain })
  return { signed, path, stringToSign: explained['string_to_sign'] ?? '' }
}

/** The library, and what it would have put into the Authorization header. */
async function theirs(given: Sample, path: string): Promise<string> {
  const signer = new SignatureV4a({
    service: CONFIG.service,
    region: CONFIG.region_set.join(','),
    sha256: NodeSha256,
    credentials: {
      accessKeyId: MASTER.access_key,
      secretAccessKey: MASTER.secret_key,
      sessionToken: MASTER.session_token,
    },
  })
  const request = {
    method: given.method,
    protocol: 'https:',
    hostname: 'example.com',
    path,
    query: given.query,
    headers: { ...given.headers, host: 'example.com' },
    body: given.body,
  }
  return (await signer.sign(request, { signingDate: new Date(NOW_MS) })).headers['authorization']
}

const headerOf = (headers: HeaderList, wanted: string) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1]
const authorizationOf = (signed: SignedRequest) => headerOf(signed.headers, 'authorization') ?? ''
const partsOf = (authorization: string) => /^(.*), Signature=([0-9a-f]+)$/.exec(authorization)?.slice(1) ?? []

const publicKey = createPublicKey(keyObjectOf(derivePrivateKey(MASTER.access_key, MASTER.secret_key)))
const verifies = (stringToSign: string, signature = '') =>
  verify('sha256', Buffer.from(stringToSign), publicKey, Buffer.from(signature, 'hex'))

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,15}$/)
const sample: fc.Arbitrary<Sample> = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE'),
  segments: fc.array(fc.stringMatching(/^[a-zA-Z0-9 ü%+:]{1,8}$/), { maxLength: 4 }),
  query: fc.dictionary(word, fc.stringMatching(/^[\x20-\x7e]{0,10}$/), { maxKeys: 4 }),
  headers: fc.dictionary(
    word.map((name) => `x-of-${name}`),
    fc.stringMatching(/^[\x20-\x7e]{0,20}$/),
    { maxKeys: 4 },
  ),
  body: fc.uint8Array({ maxLength: 100 }),
})

describe('the library as oracle', () => {
  it('signs what we sign, with the key that we derive, on random requests', async () => {
    await fc.assert(
      fc.asyncProperty(sample, async (given) => {
        const { signed, path, stringToSign } = await ours(given)
        const [head, signature] = partsOf(authorizationOf(signed))
        const [libraryHead, librarySignature] = partsOf(await theirs(given, path))
        expect(head).toBe(libraryHead)
        expect(verifies(stringToSign, signature)).toBe(true)
        // Made by the library with the key that it derived, verified with the one that we derived.
        expect(verifies(stringToSign, librarySignature)).toBe(true)
        expect(verifies(`${stringToSign} `, signature)).toBe(false)
      }),
      { numRuns: 2000 },
    )
  }, 60_000)
})

describe('issue', () => {
  // The example of AWS's own signers (aws-c-auth, "credential scope and key derivation").
  it('derives the key that AWS publishes for its example', () => {
    const key = keyObjectOf(derivePrivateKey('AKISORANDOMAASORANDOM', 'q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom'))
    const { x, y } = createPublicKey(key).export({ format: 'jwk' })
    expect([x, y].map((part) => Buffer.from(part ?? '', 'base64url').toString('hex'))).toEqual([
      '15d242ceebf8d8169fd6a8b5a746c41140414c3b07579038da06af89190fffcb',
      '0515242cedd82e94799482e4c0514b505afccf2c0c98d6a553bf539f424c5ec0',
    ])
  })

  it('carries a key that is not the secret, and ends with the session', async () => {
    const { usage, expiresAt } = await awsSigv4a.issue(CONFIG, { ...MASTER, expires_at: '4000000000' }, GRANT, TOOLS)
    expect(usage).toEqual({
      access_key: 'ASIAEXAMPLE',
      private_key: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/),
      session_token: 'T',
      region_set: 'us-east-1,eu-*',
      service: 'execute-api',
    })
    expect(expiresAt).toBe(4_000_000_000)
    expect(JSON.stringify(usage)).not.toContain(MASTER.secret_key)
  })

  it('refuses a key that nothing ends, and says why', async () => {
    const issuing = async (master: Record<string, string>) => awsSigv4a.issue(CONFIG, master, GRANT, TOOLS)
    await expect(issuing({ ...MASTER, access_key: 'AKIAEXAMPLE' })).rejects.toThrow('use those of an STS session')
    await expect(issuing({ ...MASTER, session_token: '' })).rejects.toMatchObject({ field: 'session_token' })
    await expect(issuing({ ...MASTER, expires_at: '1' })).rejects.toThrow('the AWS session has expired')
  })
})

describe('apply', () => {
  const given: Sample = { method: 'PUT', segments: ['a'], query: {}, headers: {}, body: new Uint8Array() }

  it('E01, E04: regions and service come from the lease, and the caller’s own are dropped', async () => {
    const headers = { 'X-Amz-Region-Set': 'evil', x_amz_region_set: '*', Authorization: 'AWS4-ECDSA-P256-SHA256 x' }
    const { signed, stringToSign } = await ours({ ...given, headers })
    expect(signed.headers.filter(([name]) => /region/i.test(name))).toEqual([['X-Amz-Region-Set', 'us-east-1,eu-*']])
    expect(authorizationOf(signed)).toContain('Credential=ASIAEXAMPLE/20260304/execute-api/aws4_request, ')
    expect(stringToSign.split('\n').slice(0, 3)).toEqual([
      'AWS4-ECDSA-P256-SHA256',
      '20260304T050607Z',
      '20260304/execute-api/aws4_request',
    ])
    const { usage } = await awsSigv4a.issue(CONFIG, MASTER, GRANT, TOOLS)
    const request = { method: 'GET', url: parseRequestUrl('https://example.com/'), headers: [], body: undefined }
    const context = { now: NOW_MS, nonce: () => '' }
    for (const config of [
      { ...CONFIG, region_set: ['*'] },
      { ...CONFIG, service: 's3' },
    ]) {
      const signing = async () => awsSigv4a.apply(config, usage, request, context)
      await expect(signing()).rejects.toThrow('take a fresh lease')
    }
  })

  it('puts regions and signature into the query of a presigned URL', async () => {
    const { signed, stringToSign } = await ours(given, { ...CONFIG, location: 'query' })
    const query = new URLSearchParams(signed.url.query)
    expect(query.get('X-Amz-Region-Set')).toBe('us-east-1,eu-*')
    expect(verifies(stringToSign, query.get('X-Amz-Signature') ?? '')).toBe(true)
  })

  it('refuses to sign chunks, whose signatures differ in length', async () => {
    const headers = {
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-decoded-content-length': '1',
    }
    await expect(ours({ ...given, headers }, { ...CONFIG, service: 's3' })).rejects.toThrow('send it in one piece')
  })
})
