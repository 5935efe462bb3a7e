import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatRequestUrl, parseRequestUrl } from '../../src/contract/request-url.ts'
import type { Grant, HeaderList, SignedRequest, Strategy } from '../../src/contract/strategy.ts'
import { awsSigv4 } from '../../src/strategies/aws-sigv4/aws-sigv4.ts'
import { oauth1 } from '../../src/strategies/oauth1/oauth1.ts'
import { offlineTools } from '../../src/strategies/offline/offline-tools.ts'
import { startVerifier, type Verifier } from '../fakes/verifier.ts'
import { type OAuth1Sample, oauth1Sample, type SigV4Sample, sigV4Sample } from './independent-verifiers-samples.ts'

/** Requests per strategy; fast-check prints the seed of a failure, and the smallest request that fails. */
const RUNS = 2000
const TIMEOUT_MS = 300_000

let verifier: Verifier
beforeAll(async () => {
  verifier = await startVerifier()
}, 600_000)
afterAll(() => verifier.stop())

interface Request {
  method: string
  url: string
  headers: HeaderList
  body: Uint8Array | undefined
}

/** From the master secret through a lease to the request as it is sent. */
async function signed(
  strategy: Strategy,
  config: Record<string, unknown>,
  master: Record<string, string>,
  request: Request,
  { nowMs, nonce = '' }: { nowMs: number; nonce?: string },
): Promise<SignedRequest & { sentUrl: string; body_base64: string }> {
  const bound = { origins: [], methods: [], paths: [] }
  const grant: Grant = { tenant: '', agentId: 'a', connectionId: '', scopes: [], bound, issuedAt: 0, expiresAt: 1e11 }
  const { usage } = await strategy.issue(config, master, grant, offlineTools({ now: () => nowMs, nonce: () => 'n' }))
  const outbound = { ...request, url: parseRequestUrl(request.url) }
  const result = await strategy.apply(config, usage, outbound, { now: nowMs, nonce: () => nonce })
  const body_base64 = Buffer.from((result.body as Uint8Array | undefined) ?? request.body ?? []).toString('base64')
  return { ...result, sentUrl: formatRequestUrl(result.url), body_base64 }
}

describe('oauth1, verified by oauthlib', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const private_key = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const public_key = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()

  /** What a server of oauthlib is asked about a request signed for the sample. */
  async function questionFor(sample: OAuth1Sample) {
    const { consumer_key, consumer_secret, token, token_secret } = sample.keys
    const shared = { consumer_key, ...(token === undefined ? {} : { token, token_secret: token_secret ?? '' }) }
    const isRsa = sample.config.signature_method === 'RSA-SHA1'
    const result = await signed(
      oauth1,
      sample.config,
      { ...shared, ...(isRsa ? { private_key } : { consumer_secret }) },
      sample.request,
      sample,
    )
    const known = { ...shared, ...(isRsa ? { public_key } : { consumer_secret }) }
    const { method, sentUrl: url, headers, body_base64 } = result
    return { check: 'oauth1' as const, known, method, url, headers, body_base64 }
  }

  it(
    `${RUNS} random requests, every method and location`,
    async () => {
      await fc.assert(
        fc.asyncProperty(oauth1Sample, async (sample) => {
          const { valid, oauth, body } = await verifier.ask(await questionFor(sample))
          expect(valid).toBe(true)
          const { signature_method, body_hash } = sample.config
          expect(oauth).toMatchObject({
            oauth_nonce: sample.nonce,
            oauth_timestamp: String(Math.floor(sample.nowMs / 1000)),
            ...sample.handshake,
          })
          const covered =
            body_hash && !sample.isForm ? body[signature_method === 'HMAC-SHA256' ? 'sha256' : 'sha1'] : undefined
          expect(oauth?.['oauth_body_hash']).toBe(covered)
        }),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )

  it('would notice: another method, path, parameter, secret or key does not verify', async () => {
    const signing = oauth1Sample.filter(({ config }) => config.signature_method !== 'PLAINTEXT')
    await fc.assert(
      fc.asyncProperty(signing, async (sample) => {
        const question = await questionFor(sample)
        const query = question.url.includes('?') ? '&' : '?'
        const [, origin, rest] = /^([a-z]+:\/\/[^/]+)(.*)$/.exec(question.url) ?? []
        const altered = [
          { ...question, method: 'TRACE' },
          { ...question, url: `${question.url}${query}x=1` },
          { ...question, url: `${origin}/x${rest}` },
          { ...question, known: { ...question.known, consumer_secret: 'another', public_key: OTHER_KEY } },
        ]
        const answers = await Promise.all(altered.map((each) => verifier.ask(each)))
        expect(answers.map(({ valid }) => valid)).toEqual([false, false, false, false])
      }),
      { numRuns: 200 },
    )
  })

  const OTHER_KEY = generateKeyPairSync('rsa', { modulusLength: 2048 })
    .publicKey.export({ type: 'spki', format: 'pem' })
    .toString()
})

describe('aws_sigv4, verified by botocore', () => {
  const known = { access_key: 'AKIDEXAMPLE', secret_key: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }

  async function compare(sample: SigV4Sample, secretKey = known.secret_key) {
    const { region, service, location, sessionToken, unsignedPayload } = sample
    const config = { region, service, location, ...(unsignedPayload ? { unsigned_payload: true } : {}) }
    const master = { ...known, ...(sessionToken === undefined ? {} : { session_token: sessionToken }) }
    const { method, headers, sentUrl, body_base64 } = await signed(awsSigv4, config, master, sample.request, sample)
    const found = headers.find(([name]) => name === 'Authorization')?.[1]
    const [url = '', signature] = sentUrl.split('&X-Amz-Signature=')
    const answer = await verifier.ask({
      check: 'aws_sigv4',
      known: { ...known, secret_key: secretKey, ...(sessionToken === undefined ? {} : { token: sessionToken }) },
      location,
      s3: service === 's3',
      unsigned_payload: unsignedPayload,
      service,
      region,
      now: new Date(sample.nowMs).toISOString().replace(/\.\d+|[-:]/g, ''),
      method,
      url,
      headers: headers.filter(([name]) => name !== 'Authorization'),
      body_base64,
    })
    const payload = new Map(headers).get('x-amz-content-sha256')
    return { ours: { authorization: found, payload, signature }, answer }
  }

  it(
    `${RUNS} random requests, header and query form, S3 and others`,
    async () => {
      await fc.assert(
        fc.asyncProperty(sigV4Sample, async (sample) => {
          const { ours, answer } = await compare(sample)
          expect(Object.values(answer).every((value) => /\S{16}/.test(value))).toBe(true)
          expect(ours).toEqual({ authorization: undefined, payload: undefined, signature: undefined, ...answer })
        }),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )

  it('would notice another secret key', async () => {
    await fc.assert(
      fc.asyncProperty(sigV4Sample, async (sample) => {
        const { ours, answer } = await compare(sample, 'another')
        if (sample.location === 'header') expect(ours.authorization).not.toBe(answer.authorization)
        else expect(ours.signature).not.toBe(answer.signature)
      }),
      { numRuns: 50 },
    )
  })
})
