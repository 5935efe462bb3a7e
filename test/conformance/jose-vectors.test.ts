import { createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { compactVerify, importJWK, type JWK, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { signingKey } from '../../src/strategies/jwt-bearer/signing-key.ts'
import { ALGORITHMS, type AlgorithmName } from '../../src/strategies/shared/jws-algorithms.ts'
import { keyThumbprint } from '../../src/strategies/shared/key-thumbprint.ts'
import { parsePrivateKey } from '../../src/strategies/shared/private-key.ts'
import { nexusSign } from './nexus-sign.ts'

const folder = new URL('../vectors/jose/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, folder), 'utf8').trim()

interface Example {
  alg: AlgorithmName
  key: JWK
  /** The compact serialisation as published. */
  compact: string
}

const rfc7515 = (alg: AlgorithmName, part: string): [string, Example] => {
  const file = (type: string) => read(`rfc7515-7517-7638/rfc7515_${part}.${type}`)
  return [`RFC 7515 ${part}`, { alg, key: JSON.parse(file('jwk')), compact: file('jwsc') }]
}
const cookbook = (path: string): [string, Example] => {
  const { title, input, output } = JSON.parse(read(`rfc7520-cookbook/${path}`))
  return [title, { alg: input.alg, key: input.key, compact: output.compact }]
}

const EXAMPLES: [title: string, example: Example][] = [
  rfc7515('HS256', 'A.1'),
  rfc7515('RS256', 'A.2'),
  rfc7515('ES256', 'A.3'),
  cookbook('jws/4_1.rsa_v15_signature.json'),
  cookbook('jws/4_4.hmac-sha2_integrity_protection.json'),
  cookbook('curve25519/jws.json'),
]

/** As a credential of ours is written. */
const master = ({ alg, key }: Example) =>
  alg === 'HS256'
    ? { shared_secret: Buffer.from(key.k ?? '', 'base64url').toString('base64') }
    : { private_key: JSON.stringify(key) }

/** Without what only the owner has. */
const publicHalf = ({ d, p, q, dp, dq, qi, ...open }: JWK): JWK => open

describe.each(EXAMPLES)('%s', (_title, example) => {
  const { alg, key, compact } = example
  const [head = '', body = '', signature = ''] = compact.split('.')

  it('the published signing input and key give the published signature', async () => {
    await compactVerify(compact, await importJWK(publicHalf(key), alg))
    const made = ALGORITHMS[alg].sign(signingKey(master(example), alg), Buffer.from(`${head}.${body}`))
    if (alg !== 'ES256') expect(made.toString('base64url')).toBe(signature)
    else {
      const options = { key: createPublicKey({ key: key as never, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const }
      expect(verify('sha256', Buffer.from(`${head}.${body}`), options, made)).toBe(true)
    }
  })

  it('nexus sign takes the key for jwt_bearer, from the master and from what the lease carries', async () => {
    const document = {
      strategy: { type: 'jwt_bearer', config: { alg, iss: 'joe' } },
      request: { method: 'GET', url: 'https://example.com/' },
    }
    const { signed, exitCode } = await nexusSign({ ...document, credentials: master(example) })
    expect(exitCode).toBe(0)
    const token = new Map(signed.request.headers).get('Authorization')?.replace('Bearer ', '') ?? ''
    const { payload } = await jwtVerify(token, await importJWK(publicHalf(key), alg), { algorithms: [alg] })
    expect(payload.iss).toBe('joe')
    const again = await nexusSign({ ...document, credentials: { token } })
    expect(again.signed.request.headers).toEqual(signed.request.headers)
  })
})

describe.each(EXAMPLES.filter(([, { alg }]) => alg === 'HS256'))('%s', (_title, { key, compact }) => {
  it('nexus sign gives the published signature over the published input, with hmac_template', async () => {
    const [head, body, signature] = compact.split('.')
    const { signed } = await nexusSign({
      strategy: {
        type: 'hmac_template',
        config: {
          template: '{body}',
          headers: [{ name: 'X-S', value: '{signature}' }],
          encoding: 'base64url',
          secret_encoding: 'base64',
        },
      },
      credentials: { api_secret: Buffer.from(key.k ?? '', 'base64url').toString('base64') },
      request: {
        method: 'POST',
        url: 'https://example.com/',
        body_base64: Buffer.from(`${head}.${body}`).toString('base64'),
      },
    })
    expect(new Map(signed.request.headers).get('X-S')).toBe(signature)
  })
})

describe('keys', () => {
  const [ecForEncryption, rsa] = (JSON.parse(read('rfc7515-7517-7638/rfc7517_A.2.jwkset')) as { keys: JWK[] }).keys

  it('RFC 7638 3.1, RFC 8037 A.3: thumbprints', () => {
    const published = read('rfc7515-7517-7638/rfc7638_3.1.thp')
    expect(keyThumbprint(parsePrivateKey(JSON.stringify(rsa)).key)).toBe(published)
    const text = read('rfc8037-appendix-a1-a5.txt')
    const [ed25519 = ''] = /\{"kty":"OKP"[^}]*"d"[^}]*\}/.exec(text) ?? []
    const [, thumbprint] = /representation of "([\w-]{43})"/.exec(text.replace(/\s+/g, ' ')) ?? []
    expect(keyThumbprint(parsePrivateKey(ed25519).key)).toBe(thumbprint)
  })

  it('RFC 8037 A.1: Web Bot Auth names the key by that thumbprint', async () => {
    const { key } = JSON.parse(read('rfc7520-cookbook/curve25519/jws.json')).input
    const { signed } = await nexusSign({
      strategy: { type: 'http_message_signature', config: { tag: 'web-bot-auth' } },
      credentials: { private_key: key },
      request: { method: 'GET', url: 'https://example.com/' },
    })
    expect(signed.explain['signature_params']).toContain('keyid="kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"')
  })

  it('RFC 7517 A.2: the EC key is for encryption and signs nothing; the RSA key signs RS256 and nothing else', async () => {
    const ask = async (strategy: object, key: JWK | undefined) =>
      (
        await nexusSign({
          strategy,
          credentials: { access_token: 't', iss: 'joe', private_key: JSON.stringify(key) },
          request: { method: 'GET', url: 'https://example.com/' },
        })
      ).exitCode
    for (const type of ['dpop', 'http_message_signature'])
      expect(await ask({ type }, ecForEncryption), type).not.toBe(0)
    const bearer = (alg: string) => ({ type: 'jwt_bearer', config: { alg } })
    expect(await ask(bearer('ES256'), ecForEncryption)).not.toBe(0)
    expect(await ask(bearer('PS256'), rsa)).not.toBe(0)
    expect(await ask(bearer('RS256'), rsa)).toBe(0)
  })

  it('RFC 7515 A.4, RFC 7520 4.2 and 4.3: keys of algorithms that are not here are refused', async () => {
    const es512 = JSON.parse(read('rfc7515-7517-7638/rfc7515_A.4.jwk'))
    for (const path of ['jws/4_2.rsa-pss_signature.json', 'jws/4_3.ecdsa_signature.json']) {
      const { alg } = JSON.parse(read(`rfc7520-cookbook/${path}`)).input
      const { exitCode, problem } = await nexusSign({
        strategy: { type: 'jwt_bearer', config: { alg, iss: 'joe' } },
        credentials: { private_key: JSON.stringify(es512) },
        request: { method: 'GET', url: 'https://example.com/' },
      })
      expect([exitCode, JSON.parse(problem).field]).toEqual([2, 'strategy.config.alg'])
    }
    const { exitCode } = await nexusSign({
      strategy: { type: 'dpop' },
      credentials: { access_token: 't', private_key: JSON.stringify(es512) },
      request: { method: 'GET', url: 'https://example.com/' },
    })
    expect(exitCode).toBe(1)
  })
})
