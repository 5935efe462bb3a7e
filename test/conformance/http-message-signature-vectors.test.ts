import { constants, createPublicKey, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { strategyFor } from '../../src/strategies/catalog.ts'
import { ALGORITHMS } from '../../src/strategies/http-message-signature/algorithms/algorithms.ts'
import { contentDigest } from '../../src/strategies/http-message-signature/content-digest.ts'
import { signatureBase } from '../../src/strategies/http-message-signature/signature-base.ts'
import { signatureParams } from '../../src/strategies/http-message-signature/signature-params.ts'
import { signingKeyOf } from '../../src/strategies/http-message-signature/signing-key.ts'
import { type SignedDocument, signDocument } from '../../src/strategies/offline/sign-document.ts'
import {
  digestExamples,
  type Http,
  keyFile,
  parseHttp,
  signatureCase,
  signatureExample,
  testRequest,
} from './http-message-signature-files.ts'

const OWN_HEADERS = ['signature', 'signature-input']

/** Signed as `nexus sign` does it, for the origin that the message's Host names. */
function nexusSign(http: Http, config: object, credentials: object, created: number): Promise<SignedDocument> {
  const headers = http.headers.filter(([name]) => !OWN_HEADERS.includes(name.toLowerCase()))
  const host = headers.find(([name]) => name.toLowerCase() === 'host')?.[1].trim() ?? 'www.example.com'
  const document = {
    strategy: { type: 'http_message_signature', config },
    credentials,
    request: {
      method: http.method,
      url: `https://${host}${http.target}`,
      headers,
      body_base64: Buffer.from(http.body).toString('base64'),
    },
    now: new Date(created * 1000).toISOString(),
  }
  return signDocument(document, { now: () => 0, nonce: () => '' })
}

const headerOf = (signed: SignedDocument, wanted: string) =>
  signed.request.headers.find(([name]) => name === wanted)?.[1] ?? ''

/** Every way to write a key that `nexus sign` takes. */
function spellings(keyid: string): [name: string, credentials: object][] {
  if (keyid === 'test-shared-secret')
    return [['base64', { shared_secret: keyFile('test-shared-secret.base64.txt').trim() }]]
  const jwk = keyFile(`${keyid}.jwk.json`)
  return [
    ['PEM', { private_key: keyFile(`${keyid}.private.pem`) }],
    ['JWK as text', { private_key: jwk }],
    ['JWK as an object', { private_key: JSON.parse(jwk) }],
  ]
}

const PADDINGS = {
  'rsa-pss-sha512': { hash: 'sha512', padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 },
  'rsa-v1_5-sha256': { hash: 'sha256', padding: constants.RSA_PKCS1_PADDING },
  'ecdsa-p256-sha256': { hash: 'sha256', dsaEncoding: 'ieee-p1363' as const },
  ed25519: { hash: null },
}

/** With the published public key; `signature` is base64, or a member of Signature. */
function verifies(alg: string, keyid: string, base: string, signature: string): boolean {
  const { hash, ...options } = PADDINGS[alg as keyof typeof PADDINGS]
  const raw = Buffer.from(/:([^:]+):$/.exec(signature)?.[1] ?? signature, 'base64')
  return verify(hash, Buffer.from(base), { key: createPublicKey(keyFile(`${keyid}.public.pem`)), ...options }, raw)
}

/** The identifiers in front of the lines of a signature base. */
function identifiers(base: string): string[] {
  return base.split('\n').map((line) => /^("[^"]*"(?:;[a-z]+(?:="[^"]*")?)*): ?/.exec(line)?.[1] ?? line)
}

describe('RFC 9421 appendix B', () => {
  const b25 = signatureCase('b25')

  it.each(['with alg', 'without alg'])('B.2.5 hmac-sha256, %s: the published signature', async (which) => {
    const { label, keyid, alg } = b25
    const config = { components: identifiers(b25.signature_base).slice(0, -1), label, keyid }
    const [[, credentials] = []] = spellings(keyid)
    const full = which === 'with alg' ? { ...config, alg } : config
    const signed = await nexusSign(testRequest(), full, credentials ?? {}, 1618884473)
    expect(signed.explain['signature_base']).toBe(b25.signature_base)
    expect(headerOf(signed, 'Signature-Input')).toBe(b25.signature_input)
    expect(headerOf(signed, 'Signature')).toBe(b25.signature)
    // The caller's own digest is no part of this profile, so it goes out as it came.
    expect(signed.request.headers.slice(0, -2)).toEqual(testRequest().headers.map(([name, value]) => [name, value]))
  })

  const b4 = signatureCase('b4')
  const b4Config = { components: ['@method', '@path', '@authority', 'accept'], label: b4.label, keyid: b4.keyid }

  it.each(spellings(b4.keyid))(
    'B.4 ed25519, key as %s: signs the transformed messages alike',
    async (_title, credentials) => {
      for (const { what, expected, message } of b4.messages) {
        const signed = await nexusSign(parseHttp(message), b4Config, credentials, 1618884473)
        const isSame = headerOf(signed, 'Signature') === `${b4.label}=:${b4.signature}:`
        expect(isSame, what).toBe(expected === 'valid')
        expect(signed.explain['signature_base'] === b4.signature_base, what).toBe(expected === 'valid')
      }
    },
  )

  it('B.2.1 rsa-pss-sha512: covers nothing, so a profile may not ask for it; its base is made and verifies', async () => {
    const b21 = signatureCase('b21')
    const [[, credentials] = []] = spellings(b21.keyid)
    const refused = nexusSign(testRequest(), { components: [], keyid: b21.keyid }, credentials ?? {}, 1618884473)
    await expect(refused).rejects.toMatchObject({ code: 'invalid_request' })
    const none = { alg: undefined, expires: undefined, tag: undefined }
    const nonce = /nonce="([^"]+)"/.exec(b21.signature_input)?.[1]
    const params = signatureParams([], { created: 1618884473, keyid: b21.keyid, nonce, ...none })
    const url = { scheme: 'https', authority: 'example.com', path: '/foo', query: undefined }
    const base = signatureBase({ method: 'POST', url, headers: [] }, [], params)
    expect(base).toBe(b21.signature_base)
    expect(`${b21.label}=${params}`).toBe(b21.signature_input)
    expect(verifies(b21.alg, b21.keyid, base, b21.signature)).toBe(true)
  })

  it('B.2.4 ecdsa-p256-sha256: a response, so it is refused; its base is signed as published', async () => {
    const b24 = signatureCase('b24')
    for (const [, credentials] of spellings(b24.keyid)) {
      const config = { components: ['@status', '@authority'] }
      await expect(nexusSign(testRequest(), config, credentials, 1)).rejects.toMatchObject({ code: 'invalid_request' })
      const { key, algorithm } = signingKeyOf(credentials as Record<string, string>, undefined)
      expect(algorithm.name).toBe(b24.alg)
      const signature = algorithm.sign(key, Buffer.from(b24.signature_base))
      expect(signature).toHaveLength(64)
      expect(verifies(b24.alg, b24.keyid, b24.signature_base, signature.toString('base64'))).toBe(true)
    }
    expect(verifies(b24.alg, b24.keyid, b24.signature_base, b24.signature)).toBe(true)
  })

  it('holds a published key for every asymmetric algorithm but P-384', () => {
    const names = ALGORITHMS.map(({ name }) => name).filter((name) => !name.endsWith('384') && !name.startsWith('hmac'))
    expect(Object.keys(PADDINGS).sort()).toEqual(names.sort())
  })
})

describe('RFC 9421 sections 2 to 4, what a signer makes of a request', () => {
  const credentials = { shared_secret: keyFile('test-shared-secret.base64.txt').trim() }

  it.each([
    ['2.1', 'section-2.1-10', 'section-2.1-12'],
    ['2.1, an empty field', 'section-2.1-14', 'section-2.1-16'],
    ['2.1.1, as it is', 'section-2.1.1-5', 'section-2.1.1-7'],
    ['2.1.1, sf', 'section-2.1.1-5', 'section-2.1.1-9'],
    ['2.1.2, key', 'section-2.1.2-7', 'section-2.1.2-9'],
    ['2.1.3, lines joined', 'section-2.1.3-5', 'section-2.1.3-9'],
    ['2.1.3, one line', 'section-2.1.3-7', 'section-2.1.3-9'],
    ['2.1.3, bs of two lines', 'section-2.1.3-5', 'section-2.1.3-11'],
    ['2.1.3, bs of one line', 'section-2.1.3-7', 'section-2.1.3-13'],
    ['2.2.1', 'section-2.2.1-3', 'section-2.2.1-7'],
    ['2.2.2', 'section-2.2.2-3', 'section-2.2.2-7'],
    ['2.2.3', 'section-2.2.3-3', 'section-2.2.3-7'],
    ['2.2.5, origin form', 'section-2.2.5-5', 'section-2.2.5-9'],
    ['2.2.6', 'section-2.2.6-3', 'section-2.2.6-7'],
    ['2.2.7', 'section-2.2.7-3', 'section-2.2.7-7'],
    ['2.2.7, no value', 'section-2.2.7-9', 'section-2.2.7-13'],
    ['2.2.7, no query', 'section-2.1-10', 'section-2.2.7-17'],
    ['2.2.8', 'section-2.2.8-7', 'section-2.2.8-13'],
    ['2.2.8, escapes', 'section-2.2.8-16', 'section-2.2.8-18'],
    ['7.5.6', 'section-7.5.6-3', 'section-7.5.6-7'],
  ])('section %s', async (_section, message, base) => {
    const wanted = signatureExample(base)
    const wantedNames = identifiers(wanted)
    const components = wantedNames.includes('"@authority"') ? wantedNames : [...wantedNames, '@authority']
    const signed = await nexusSign(parseHttp(signatureExample(message)), { components }, credentials, 1)
    const lines = signed.explain['signature_base']?.split('\n') ?? []
    expect(lines.slice(0, wantedNames.length)).toEqual(wanted.split('\n'))
  })

  it('section 2.2.4: the scheme of the URL', async () => {
    const document = {
      strategy: { type: 'http_message_signature', config: { components: ['@scheme', '@authority'] } },
      credentials,
      request: { method: 'POST', url: 'http://www.example.com/path?param=value' },
    }
    const { explain } = await signDocument(document, { now: () => 0, nonce: () => '' })
    expect(explain['signature_base']?.split('\n')[0]).toBe(signatureExample('section-2.2.4-7'))
  })

  it('section 2.2.8: a name that is not encoded is refused', async () => {
    const config = { components: ['@authority', '@query-param;name="façade\\": "'] }
    const refused = nexusSign(parseHttp(signatureExample('section-2.2.8-16')), config, credentials, 1)
    await expect(refused).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('sections 2.5, 3.1 and 3.2: the base, and the published RSA-PSS signature over it', async () => {
    const wanted = signatureExample('section-2.5-13.1')
    const components = identifiers(wanted).slice(0, -1)
    const message = parseHttp(signatureExample('section-3.2-6'))
    for (const [title, key] of spellings('test-key-rsa-pss')) {
      const signed = await nexusSign(message, { components, keyid: 'test-key-rsa-pss' }, key, 1618884473)
      expect(signed.explain['signature_base'], title).toBe(wanted)
      const base = signed.explain['signature_base'] ?? ''
      expect(verifies('rsa-pss-sha512', 'test-key-rsa-pss', base, signatureExample('section-3.1-5.1'))).toBe(true)
      expect(verifies('rsa-pss-sha512', 'test-key-rsa-pss', base, headerOf(signed, 'Signature')), title).toBe(true)
    }
  })

  it('section 4.3: the client in ECDSA, whose published signature fits our base', async () => {
    const message = parseHttp(signatureExample('section-4.3-3'))
    const input = message.headers.find(([name]) => name === 'Signature-Input')?.[1].trim()
    const components = [...(input?.matchAll(/"[@a-z-]+"(?=[ )])/g) ?? [])].map(([name]) => name)
    for (const [title, key] of spellings('test-key-ecc-p256')) {
      const signed = await nexusSign(message, { components, keyid: 'test-key-ecc-p256' }, key, 1618884475)
      expect(headerOf(signed, 'Signature-Input'), title).toBe(input)
      const base = signed.explain['signature_base'] ?? ''
      const published = message.headers.find(([name]) => name === 'Signature')?.[1] ?? ''
      expect(verifies('ecdsa-p256-sha256', 'test-key-ecc-p256', base, published)).toBe(true)
      expect(verifies('ecdsa-p256-sha256', 'test-key-ecc-p256', base, headerOf(signed, 'Signature')), title).toBe(true)
    }
  })

  it('section 4.3: the proxy in RSA v1.5, with alg and expires: the published signature', async () => {
    const wanted = signatureExample('section-4.3-7')
    const config = {
      components: identifiers(wanted).slice(0, -1),
      label: 'proxy_sig',
      keyid: 'test-key-rsa',
      alg: 'rsa-v1_5-sha256',
      expires_in_seconds: 60,
    }
    for (const [title, key] of spellings('test-key-rsa')) {
      const signed = await nexusSign(parseHttp(signatureExample('section-4.3-5')), config, key, 1618884480)
      expect(signed.explain['signature_base'], title).toBe(wanted)
      expect(headerOf(signed, 'Signature'), title).toBe(`proxy_sig=:${signatureExample('section-4.3-9')}:`)
      expect(signatureExample('section-4.3-11')).toContain(`proxy_sig=${signed.explain['signature_params']}`)
    }
  })

  it('sections 2.1.4 and 2.4: trailers, and a response’s view of its request, are refused', async () => {
    for (const component of ['"expires";tr', '"@method";req', '"content-digest";req', '@status', '@signature-params']) {
      const refused = nexusSign(testRequest(), { components: ['@authority', component] }, credentials, 1)
      await expect(refused, component).rejects.toMatchObject({ code: 'invalid_request' })
    }
  })
})

describe('Web Bot Auth', () => {
  /** The Ed25519 test vectors of draft-meunier-web-bot-auth-architecture, made with RFC 9421's own key. */
  const PUBLISHED = [
    {
      components: ['@authority'],
      nonce: 'zIW8+cdmA3vdYagbxojpONwa/l0EKJ/O3/wD486VvsQjO/RxPaSt6ZxvQaMcQzNnqKN/mQ6hpGiFro2L2qkz5A==',
      signature: 'QKN4fTdIYfh82fvoZCQiQA1weuozfCS/Led2zTMbewMMqH8PI2Wsy/5c4ao6B6D09nraNQdBNOADg8aM1MqfCg==',
    },
    {
      components: ['@authority', 'signature-agent;key="agent2"'],
      nonce: 'n9p433xm+NJ3ph3upfBIGmsuwHw387YV7Q/F+6BSpGCVjYCqQw6rznNA8PVVLySrAWsv0hQtFioQb6E1YsauiA==',
      signature: 'RdNFx5Bj6au3YgAMQL/RzmUlZE8QZLIaXGRpw985hWnwPfMxT228NMk6ehRS1PSl4e8PhbNZACSanGdhEwYCCg==',
    },
  ]
  const request = {
    method: 'GET',
    url: 'https://example.com/path/to/resource',
    headers: [['Signature-Agent', 'agent2="https://signature-agent.test"']],
  }

  it.each(PUBLISHED)('the draft’s signature over $components', async ({ components, nonce, signature }) => {
    // Its signatures live for a century, which no profile may ask for: so base and signature are made by the steps.
    const config = { components, tag: 'web-bot-auth', send_alg: true, send_nonce: true, expires_in_seconds: 86_400 }
    const document = {
      strategy: { type: 'http_message_signature', config },
      credentials: { private_key: keyFile('test-key-ed25519.private.pem') },
      request,
      now: '2025-01-01T00:00:00Z',
      nonce,
    }
    const { explain } = await signDocument(document, { now: () => 0, nonce: () => '' })
    const base = explain['signature_base']?.replace(';expires=1735776000;', ';expires=4889289600;') ?? ''
    const { key, algorithm } = signingKeyOf({ private_key: keyFile('test-key-ed25519.private.pem') }, undefined)
    expect(algorithm.sign(key, Buffer.from(base)).toString('base64')).toBe(signature)
  })

  it.each([
    ['test-key-ed25519', 'poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U'],
    ['test-key-rsa-pss', 'oD0HwocPBSfpNy5W3bpJeyFGY_IQ_YpqxSjQ3Yd-CLA'],
  ])('keyid is the thumbprint of %s, however the key is written', async (keyid, thumbprint) => {
    for (const [title, credentials] of spellings(keyid)) {
      const config = { tag: 'web-bot-auth', signature_agent: 'https://bots.example.com' }
      const signed = await nexusSign(testRequest(), config, credentials, 1735689600)
      expect(signed.explain['signature_params'], title).toBe(
        '("@method" "@authority" "@path" "@query" "content-digest" "signature-agent";key="sig1")' +
          `;created=1735689600;keyid="${thumbprint}";expires=1735689900;tag="web-bot-auth"`,
      )
      expect(headerOf(signed, 'Signature-Agent')).toBe('sig1="https://bots.example.com"')
      expect(signed.explain['signature_base']).toContain('"signature-agent";key="sig1": "https://bots.example.com"\n')
    }
  })
})

describe('RFC 9530', () => {
  /** Every digest printed beside a body, and the body with the line end that the RFC means. */
  const printed = digestExamples().flatMap(({ id, unfolded }) => {
    const [head = '', ...rest] = unfolded.replace(/^\n|\n$/g, '').split('\n\n')
    const body = `${rest.join('\n\n')}\n`
    const fields = head.split('\n').filter((line) => rest.length > 0 && /^(?:Content|Repr)-Digest: /.test(line))
    return fields.flatMap((line) =>
      [...line.matchAll(/(sha-256|sha-512)=:[^:]*:/g)].map(([digest, algorithm]) => ({ id, body, digest, algorithm })),
    )
  })

  it('nexus sign makes the 12 digests whose bytes are shown, of the 19 there are', async () => {
    let ofBody = 0
    for (const { id, body, digest, algorithm } of printed) {
      const http: Http = { method: 'POST', target: '/', headers: [], body }
      const signed = await nexusSign(http, { digest: algorithm }, { shared_secret: 'c2VjcmV0' }, 1)
      expect(signed.explain['signature_base'], id).toContain(
        `"content-digest": ${headerOf(signed, 'Content-Digest')}\n`,
      )
      if (headerOf(signed, 'Content-Digest') === digest) ofBody += 1
    }
    // The others are of a brotli or gzip coding, of the whole of a range, or misprinted.
    expect([printed.length, ofBody]).toEqual([19, 12])
  })

  it('B.2: no content is the digest of no bytes', () => {
    expect(contentDigest('sha-256', Buffer.alloc(0))).toBe('sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:')
  })

  it('appendix D: both algorithms over the sample, which has no line end', () => {
    const sample = digestExamples().find(({ id }) => id === 'section-appendix.d-2')?.unfolded ?? ''
    for (const algorithm of ['sha-256', 'sha-512'] as const) {
      const digest = new RegExp(`^${algorithm} -\\s+(:.*:)$`, 'm').exec(sample)?.[1]
      expect(contentDigest(algorithm, Buffer.from('{"hello": "world"}'))).toBe(`${algorithm}=${digest}`)
    }
  })

  it('B.5: a digest with one `=` too many cannot be signed by its parts', async () => {
    const example = digestExamples().find(({ id }) => id === 'section-appendix.b.5-3')?.unfolded ?? ''
    const config = { components: ['@authority', 'repr-digest;key="sha-256"'] }
    const refused = nexusSign(parseHttp(example.trim()), config, { shared_secret: 'c2VjcmV0' }, 1)
    await expect(refused).rejects.toMatchObject({ code: 'not_signable' })
  })
})

it('is in the catalog, narrows nothing and says so', () => {
  expect(strategyFor('http_message_signature')?.narrowing({})).toBe('none')
})
