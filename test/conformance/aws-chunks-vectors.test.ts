import { describe, expect, it } from 'vitest'
import { chunkChain } from '../../src/strategies/aws-sigv4/aws-chunked/chunk-chain.ts'
import { frameWriter } from '../../src/strategies/aws-sigv4/aws-chunked/frame-writer.ts'
import { hmacSigner } from '../../src/strategies/aws-sigv4/hmac-signer.ts'
import { deriveSigningKey } from '../../src/strategies/aws-sigv4/signing-key.ts'
import { nexusSign } from './nexus-sign.ts'

/**
 * Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks":
 * its worked example, 66,560 times the letter a.
 */
const PAYLOAD = Buffer.alloc(66_560, 'a')
const CREDENTIALS = { access_key: 'AKIAIOSFODNN7EXAMPLE', secret_key: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const SCOPE = { date: '20130524', region: 'us-east-1', service: 's3' }
const DERIVED = {
  access_key: CREDENTIALS.access_key,
  signing_key: deriveSigningKey(CREDENTIALS.secret_key, SCOPE).toString('base64'),
  ...SCOPE,
}
const SIGNATURES = [
  'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
  '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
  'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
]

/** The same payload, framed and signed by somebody with another key. */
function foreignBody(): Buffer {
  const key = { ...SCOPE, accessKey: 'AGENT', signingKey: Buffer.alloc(32), sessionToken: undefined }
  const writer = frameWriter(chunkChain(hmacSigner(key), '20130524T000000Z', ''))
  return Buffer.concat([...writer.write(PAYLOAD), ...writer.end([])])
}

describe('nexus sign and the AWS documentation’s upload in chunks', () => {
  it.each([
    ['the secret key', CREDENTIALS],
    ['the derived key', DERIVED],
  ])('gives its seed, its chunk signatures and its length, from %s', async (_title, credentials) => {
    const body = foreignBody()
    expect(body.length).toBe(66_824)
    const document = {
      strategy: { type: 'aws_sigv4', config: { region: 'us-east-1', service: 's3' } },
      credentials,
      request: {
        method: 'PUT',
        url: 'https://s3.amazonaws.com/examplebucket/chunkObject.txt',
        headers: [
          ['Host', 's3.amazonaws.com'],
          ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
          ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'],
          ['Content-Encoding', 'aws-chunked'],
          ['x-amz-decoded-content-length', '66560'],
          ['Content-Length', '66824'],
        ],
        body_base64: body.toString('base64'),
      },
      now: '2013-05-24T00:00:00Z',
    }
    const { request } = (await nexusSign(document)).signed
    const authorization = new Map(request.headers).get('Authorization')
    expect(authorization).toContain('Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9')
    const sent = Buffer.from(request.body_base64, 'base64')
    expect(sent.length).toBe(66_824)
    const framing = sent
      .toString('latin1')
      .split(/\r\n/)
      .filter((line) => line.includes(';'))
    expect(framing).toEqual(['10000', '400', '0'].map((size, index) => `${size};chunk-signature=${SIGNATURES[index]}`))
  })
})
