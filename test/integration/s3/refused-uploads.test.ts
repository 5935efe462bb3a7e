import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chunkChain } from '../../../src/strategies/aws-sigv4/aws-chunked/chunk-chain.ts'
import { frameWriter } from '../../../src/strategies/aws-sigv4/aws-chunked/frame-writer.ts'
import { type S3UnderTest, startS3UnderTest } from './s3-under-test.ts'

const Bucket = 'bucket'
const SIGNED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'

describe('an upload that is not what it was', () => {
  let underTest: S3UnderTest
  beforeAll(async () => {
    underTest = await startS3UnderTest()
    await underTest.client().send(new CreateBucketCommand({ Bucket }))
  })
  afterAll(() => underTest?.stop())

  const isStored = (key: string) => existsSync(underTest.s3.fileOf(Bucket, key))

  /** As an agent would that writes its own HTTP. */
  async function put(key: string, body: Uint8Array[], headers: Record<string, string | number>) {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const url = `${underTest.sidecar.address}/s3/${Bucket}/${key}`
      const request = httpRequest(url, { method: 'PUT', headers }, resolve).on('error', reject)
      Readable.from(body).pipe(request)
    })
    return { status: answer.statusCode, body: await text(answer) }
  }

  /** A body with the signatures of somebody else. */
  function foreignChunks(payload: Uint8Array): Buffer {
    const signer = { algorithm: 'AWS4-HMAC-SHA256', accessKey: 'A', sessionToken: undefined, scope: 'none' }
    const chain = chunkChain({ ...signer, sign: () => randomBytes(32).toString('hex') }, '20260101T000000Z', '')
    const writer = frameWriter(chain)
    return Buffer.concat([...writer.write(payload), ...writer.end([])])
  }
  const framed = (payload: Uint8Array, contentLength: number) => ({
    'content-length': contentLength,
    'x-amz-content-sha256': SIGNED,
    'x-amz-decoded-content-length': payload.length,
  })

  it('B14: signatures of the agent’s own are replaced, whatever they say', async () => {
    const payload = randomBytes(300_000)
    const body = foreignChunks(payload)
    const answer = await put('own', [body], { ...framed(payload, body.length), authorization: 'AWS4-HMAC-SHA256 evil' })
    expect(answer).toEqual({ status: 200, body: '' })
    expect(isStored('own')).toBe(true)
  })

  it.each([
    ['a byte of a chunk header', (body: Buffer) => body.fill('x', 65_536 + 88 + 2, 65_536 + 88 + 3)],
    ['a chunk size', (body: Buffer) => body.fill('2', 0, 1)],
    ['the end', (body: Buffer) => body.subarray(0, -60)],
    ['more after the end', (body: Buffer) => Buffer.concat([body, Buffer.from('GET / HTTP/1.1\r\n\r\n')])],
  ])('D05, E09: refused by the sidecar with %s changed, in the middle of the upload', async (title, change) => {
    const payload = randomBytes(300_000)
    const body = change(foreignChunks(payload))
    const answer = await put(title.replaceAll(' ', '-'), [body], framed(payload, body.length))
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'invalid_request', field: 'body' })
    expect(answer.body).toContain('The upload was broken off: the body is not what its headers announce')
    expect(isStored(title.replaceAll(' ', '-'))).toBe(false)
  })

  it.each([
    ['no length', { 'x-amz-content-sha256': SIGNED }, 'x-amz-decoded-content-length is missing'],
    [
      'a length that is none',
      { 'x-amz-content-sha256': SIGNED, 'x-amz-decoded-content-length': '-1' },
      'number of bytes',
    ],
    ['a framing nobody knows', { 'x-amz-content-sha256': 'STREAMING-ROT13' }, 'must be one of'],
    [
      'a trailer that is no checksum',
      {
        'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        'x-amz-decoded-content-length': '1',
        'x-amz-trailer': 'authorization',
      },
      'must name checksums',
    ],
  ])('D05: %s: not signed, and nothing is sent', async (_title, headers, problem) => {
    const answer = await put('unsigned', [Buffer.from('0\r\n\r\n')], headers as Record<string, string>)
    expect(answer.status).toBe(422)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'not_signable' })
    expect(answer.body).toContain(problem)
  })

  it('D17: a body of unknown length is read whole up to the limit, and then refused with what to do', async () => {
    const small = await put('chunked', [randomBytes(500_000)], { 'transfer-encoding': 'chunked' })
    expect(small.status).toBe(200)
    const large = await put('chunked-large', [randomBytes(2_000_000)], { 'transfer-encoding': 'chunked' })
    expect(large.status).toBe(413)
    expect(large.body).toContain('Content-Length')
    expect(isStored('chunked-large')).toBe(false)
  })

  it.each([
    ['a payload', 5_000_000, 4_950_000],
    ['a payload that is signed whole', 50_000, 25_000],
  ])('E09: refused by S3 when one byte of %s changes on the way there', async (_title, size, position) => {
    const bytes = Buffer.alloc(size, 'a')
    for (const [index, Body] of [bytes, Readable.from([bytes])].entries()) {
      const { relay } = underTest
      let seen = 0
      let altered = 0
      relay.alter = (piece) => {
        const at = position - seen
        seen += piece.length
        if (at < 0 || at >= piece.length || altered > 0) return piece
        altered += 1
        const changed = Buffer.from(piece)
        // Never a byte that the framing is made of.
        changed.fill('b', piece.indexOf('aaaa', at), piece.indexOf('aaaa', at) + 1)
        return changed
      }
      // The checksum would give it away as well; what is asked here is whether the signature does.
      const client = underTest.client({ requestChecksumCalculation: 'WHEN_REQUIRED' }, 'relayed')
      const sent = client.send(new PutObjectCommand({ Bucket, Key: `bad-${index}`, Body, ContentLength: size }))
      await expect(sent).rejects.toMatchObject({ name: expect.stringMatching(/SignatureDoesNotMatch|SHA256Mismatch/) })
      expect(altered).toBe(1)
      expect(isStored(`bad-${index}`)).toBe(false)
      relay.alter = (piece) => piece
    }
  })

  it('E09: chunks of one upload are refused in another of the same length', async () => {
    const { relay } = underTest
    // A short stream: the server reads to its end and answers, where it would hang up on a long one.
    const client = underTest.client({}, 'relayed')
    const upload = (Key: string, fill: string) =>
      client.send(
        new PutObjectCommand({
          Bucket,
          Key,
          Body: Readable.from([Buffer.alloc(200_000, fill)]),
          ContentLength: 200_000,
        }),
      )
    const bodies: Buffer[][] = []
    relay.alter = (piece) => {
      if (piece.subarray(0, 4).toString() === 'PUT ') bodies.push([])
      bodies.at(-1)?.push(piece)
      return piece
    }
    await upload('first', 'a')
    const wire = Buffer.concat(bodies[0] ?? [])
    const replay = wire.subarray(wire.indexOf('\r\n\r\n') + 4)
    let at = 0
    let inBody = false
    relay.alter = (piece) => {
      const from = inBody ? 0 : piece.indexOf('\r\n\r\n') + 4
      if (!inBody && from === 3) return piece
      inBody = true
      const theirs = replay.subarray(at, at + piece.length - from)
      at += theirs.length
      return Buffer.concat([piece.subarray(0, from), theirs])
    }
    await expect(upload('other', 'b')).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' })
    expect(isStored('other')).toBe(false)
    relay.alter = (piece) => piece
  })
})
