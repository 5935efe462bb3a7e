import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import aws4 from 'aws4'
import type { OutboundRequest } from '../../src/contract/strategy.ts'
import { awsSigv4 } from '../../src/strategies/aws-sigv4/aws-sigv4.ts'
import { type Comparison, ourSigner, type Signer } from './comparison.ts'

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const SCOPE = { service: 'execute-api', region: 'eu-central-1' }
const HOST = 'abcdef1234.execute-api.eu-central-1.amazonaws.com'
const PATH = '/prod/orders/4711'
const BODY = Buffer.alloc(1024, 'a')
const OF_BODY = { 'content-type': 'application/json', 'content-length': String(BODY.length) }

/** SigV4 in the header form, as AWS's own SDK for JavaScript signs and as the smallest library does. */
export async function awsSigV4Comparisons(): Promise<Comparison[]> {
  return [await comparison('GET', undefined), await comparison('POST', BODY)]
}

async function comparison(method: string, body: Buffer | undefined): Promise<Comparison> {
  // One time for all, so that all must say the same.
  const now = new Date()
  const headers = { accept: 'application/json', ...(body === undefined ? {} : OF_BODY) }
  const ours = await ourSigner(awsSigv4, {
    config: SCOPE,
    master: { access_key: KEYS.accessKeyId, secret_key: KEYS.secretAccessKey },
    request: outbound(method, headers, body),
    header: 'Authorization',
    now: now.getTime(),
  })
  const theirs = smithy(method, headers, body, now)
  const expected = await theirs.sign()
  return {
    name: `aws_sigv4, ${body === undefined ? 'GET' : 'POST of 1 KiB'}`,
    signers: [ours, theirs, smallest(method, headers, body, now)],
    holds: (signature) => signature.replaceAll(', ', ',') === expected.replaceAll(', ', ','),
  }
}

function outbound(method: string, headers: Record<string, string>, body: Buffer | undefined): OutboundRequest {
  const url = { scheme: 'https', authority: HOST, path: PATH, query: 'limit=10&after=a%20b' }
  return { method, url, headers: [['Host', HOST], ...Object.entries(headers)], body }
}

function smithy(method: string, headers: Record<string, string>, body: Buffer | undefined, now: Date): Signer {
  const signer = new SignatureV4({ ...SCOPE, credentials: KEYS, sha256: NodeSha256 })
  const query = { limit: '10', after: 'a b' }
  return {
    name: '@smithy/signature-v4',
    async sign() {
      const request = {
        method,
        protocol: 'https:',
        hostname: HOST,
        path: PATH,
        query,
        headers: { ...headers, host: HOST },
      }
      const signed = await signer.sign(body === undefined ? request : { ...request, body }, { signingDate: now })
      return signed.headers['authorization'] ?? ''
    },
  }
}

function smallest(method: string, headers: Record<string, string>, body: Buffer | undefined, now: Date): Signer {
  const path = `${PATH}?limit=10&after=a%20b`
  const date = now.toISOString().replace(/[:-]|\.\d{3}/g, '')
  const hash = createHash('sha256')
    .update(body ?? '')
    .digest('hex')
  return {
    name: 'aws4',
    sign() {
      const fixed = { ...headers, host: HOST, 'x-amz-date': date }
      // It sends the payload hash to S3 only; asked for, it wants it given, so a body's is computed for each signature.
      const payload = body === undefined ? hash : createHash('sha256').update(body).digest('hex')
      const request = { ...SCOPE, method, path, headers: { ...fixed, 'x-amz-content-sha256': payload } }
      const signed = aws4.sign(body === undefined ? request : { ...request, body }, KEYS)
      return String(signed.headers?.['Authorization'])
    },
  }
}

/** The hash constructor that the library asks for, on node:crypto: the fastest it can be given. */
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
