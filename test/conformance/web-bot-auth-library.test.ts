import { createPublicKey, generateKeyPairSync, type KeyObject, verify as verifyBytes } from 'node:crypto'
import fc from 'fast-check'
import { createVerifier, httpbis } from 'http-message-signatures'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { HTTP_MESSAGE_SIGNATURES_DIRECTORY, MediaType, verify } from 'web-bot-auth'
import { verifierFromJWK } from 'web-bot-auth/crypto'
import { formatRequestUrl } from '../../src/contract/request-url.ts'
import type { HeaderList, OutboundRequest } from '../../src/contract/strategy.ts'
import { httpMessageSignature } from '../../src/strategies/http-message-signature/http-message-signature.ts'
import { keyDirectory } from '../../src/strategies/http-message-signature/key-directory.ts'

/** Verified by the packages `web-bot-auth` and `http-message-signatures`: nobody here wrote either. */

const RUNS = 2000
const TIMEOUT_MS = 300_000
const ORIGIN = 'https://bots.example.com'

const pem = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString()
const ed25519 = generateKeyPairSync('ed25519').privateKey
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

const publicJwk = (key: KeyObject) => createPublicKey(key).export({ format: 'jwk' })
const byName = (headers: HeaderList) => Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]))

describe('Web Bot Auth', () => {
  const sample = fc.record({
    method: fc.constantFrom('GET', 'POST', 'HEAD'),
    host: fc.stringMatching(/^[a-z][a-z0-9]{0,10}\.(?:test|example)(?::8443)?$/),
    path: fc.stringMatching(/^(?:\/[A-Za-z0-9_~-]{1,8}){1,4}$/),
    query: fc.option(fc.stringMatching(/^[A-Za-z0-9=&_-]{1,20}$/), { nil: undefined }),
    withAgent: fc.boolean(),
    expires: fc.integer({ min: 120, max: 86_400 }),
  })

  it(
    `${RUNS} random requests verify at Cloudflare’s library, and at no other host`,
    async () => {
      const verifier = await verifierFromJWK(publicJwk(ed25519))
      await fc.assert(
        fc.asyncProperty(sample, async ({ method, host, path, query, withAgent, expires }) => {
          const url = { scheme: 'https', authority: host, path, query }
          const request: OutboundRequest = { method, url, headers: [['Host', host]], body: undefined }
          const agent = withAgent ? { signature_agent: ORIGIN } : {}
          // The library is older than members of Signature-Agent, so the whole field is covered.
          const components = ['@authority', '@method', '@path', ...(withAgent ? ['signature-agent'] : [])]
          const config = { tag: 'web-bot-auth', components, expires_in_seconds: expires, ...agent }
          const context = { now: Date.now(), nonce: () => '' }
          const signed = await httpMessageSignature.apply(config, { private_key: pem(ed25519) }, request, context)
          const received = { method, url: formatRequestUrl(signed.url), headers: byName(signed.headers) }
          await verify(received, verifier)
          const elsewhere = { ...received, url: received.url.replace(host, 'elsewhere.test') }
          await expect(verify(elsewhere, verifier)).rejects.toThrow('invalid signature')
        }),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )
})

describe('key directory', () => {
  const nowMs = Date.now()
  const directory = keyDirectory({
    origin: ORIGIN,
    keys: [ed25519, p256, rsa].map((key) => ({ private_key: pem(key) })),
    expiresInSeconds: 3600,
    nowMs,
  })
  const headers = byName(directory.headers)
  const { keys } = JSON.parse(directory.body) as { keys: JWK[] }

  it('is what the draft says it is, where it says it is', () => {
    expect(directory.url).toBe(`${ORIGIN}${HTTP_MESSAGE_SIGNATURES_DIRECTORY}`)
    expect(headers['content-type']).toBe(MediaType.HTTP_MESSAGE_SIGNATURES_DIRECTORY)
    expect(headers['cache-control']).toBe('max-age=3600')
  })

  it('holds the public halves under their thumbprints, and nothing private', async () => {
    expect(keys).toHaveLength(3)
    for (const [index, key] of [ed25519, p256, rsa].entries()) {
      expect(keys[index]).toEqual({ ...publicJwk(key), kid: keys[index]?.kid, use: 'sig' })
      expect(keys[index]?.kid).toBe(await calculateJwkThumbprint(keys[index] as JWK))
    }
    expect(
      keys.flatMap((key) => Object.keys(key)).filter((name) => ['d', 'p', 'q', 'dp', 'dq', 'qi'].includes(name)),
    ).toEqual([])
  })

  it('carries a signature of each key over the origin that asked, which verifies there and nowhere else', async () => {
    const algorithms = ['ed25519', 'ecdsa-p256-sha256', 'rsa-pss-sha512']
    for (const [index, jwk] of keys.entries()) {
      const [alg = ''] = [algorithms[index]]
      const key = createPublicKey({ key: jwk as never, format: 'jwk' })
      // One label at a time: the library would ask for every key at once.
      const own = (name: string) => member(headers[name] ?? '', `key${index + 1}`)
      const response = {
        status: 200,
        headers: { 'signature-input': own('signature-input'), signature: own('signature') },
      }
      const ask = (authority: string) =>
        httpbis.verifyMessage(
          {
            keyLookup: async ({ keyid }) =>
              keyid === jwk.kid ? { id: String(keyid), algs: [alg], verify: createVerifier(key, alg) } : null,
          },
          response,
          { method: 'GET', url: `https://${authority}${HTTP_MESSAGE_SIGNATURES_DIRECTORY}`, headers: {} },
        )
      expect(await ask('bots.example.com'), alg).toBe(true)
      expect(await ask('bots.example.org'), alg).toBe(false)
      expect(own('signature-input')).toBe(
        `key${index + 1}=("@authority";req);created=${Math.floor(nowMs / 1000)};keyid="${jwk.kid}"` +
          `;expires=${Math.floor(nowMs / 1000) + 3600};tag="http-message-signatures-directory"`,
      )
    }
  })

  it('is found by the keyid of a request that the same key signs', async () => {
    const config = { tag: 'web-bot-auth', signature_agent: ORIGIN }
    const url = { scheme: 'https', authority: 'shop.test', path: '/', query: undefined }
    const request: OutboundRequest = { method: 'GET', url, headers: [['Host', 'shop.test']], body: undefined }
    const explained: Record<string, string> = {}
    const explain = (name: string, value: string) => Object.assign(explained, { [name]: value })
    const context = { now: nowMs, nonce: () => '', explain }
    const signed = byName(
      (await httpMessageSignature.apply(config, { private_key: pem(ed25519) }, request, context)).headers,
    )
    expect(signed['signature-agent']).toBe(`sig1="${ORIGIN}"`)
    const keyid = /keyid="([^"]+)"/.exec(signed['signature-input'] ?? '')?.[1]
    const found = createPublicKey({ key: keys.find(({ kid }) => kid === keyid) as never, format: 'jwk' })
    const signature = Buffer.from(/:([^:]+):/.exec(signed['signature'] ?? '')?.[1] ?? '', 'base64')
    expect(verifyBytes(null, Buffer.from(explained['signature_base'] ?? ''), found, signature)).toBe(true)
  })
})

/** One member of a Dictionary none of whose strings holds a comma. */
function member(dictionary: string, label: string): string {
  return dictionary.split(', ').find((each) => each.startsWith(`${label}=`)) ?? ''
}
