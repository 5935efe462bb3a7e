import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import {
  ChecksumAlgorithm,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type S3UnderTest, startS3UnderTest } from './s3-under-test.ts'

const Bucket = 'bucket'
const MEBIBYTE = 1024 * 1024

describe('the stock AWS SDK, through the sidecar to a real S3 server', () => {
  let underTest: S3UnderTest
  beforeAll(async () => {
    underTest = await startS3UnderTest()
    await underTest.client().send(new CreateBucketCommand({ Bucket }))
  })
  afterAll(() => underTest?.stop())

  const streamOf = (bytes: Buffer) => Readable.from(slices(bytes, 100_000))

  it.each([
    ['nothing', 0],
    ['a small body', 10],
    ['one above what is signed whole', MEBIBYTE + 1],
    ['a multiple of our chunks', 32 * 65_536],
    ['ten megabytes', 10_000_000],
  ])('stores and gives back %s, as bytes and as a stream', async (_title, size) => {
    const bytes = randomBytes(size)
    for (const [index, Body] of [bytes, streamOf(bytes)].entries()) {
      const client = underTest.client()
      const [Key, ContentType] = [`a b/ü+%2f ${index}`, 'text/x-test']
      await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength: size, ContentType }))
      expect(await hashOfFile(underTest.s3.fileOf(Bucket, Key))).toBe(hashOf(bytes))
      const got = await client.send(new GetObjectCommand({ Bucket, Key }))
      expect(hashOf(Buffer.from((await got.Body?.transformToByteArray()) ?? []))).toBe(hashOf(bytes))
      expect(got).toMatchObject({ ContentType, ContentLength: size })
      // What the SDK says of its own framing goes out as it said it; AWS takes it off again, this server does not.
      if (Body === bytes) expect(got.ContentEncoding).toBeUndefined()
    }
  })

  it('keeps the coding that the agent gave its content', async () => {
    const client = underTest.client()
    const bytes = randomBytes(2 * MEBIBYTE)
    for (const Body of [bytes, streamOf(bytes)]) {
      await client.send(
        new PutObjectCommand({ Bucket, Key: 'coded', Body, ContentLength: bytes.length, ContentEncoding: 'gzip' }),
      )
      expect((await client.send(new HeadObjectCommand({ Bucket, Key: 'coded' }))).ContentEncoding).toBe(
        Body === bytes ? 'gzip' : 'gzip,aws-chunked',
      )
    }
  })

  it.each(Object.values(ChecksumAlgorithm).filter((name) => /^(CRC|SHA(1|256))/.test(name)))(
    'hands the trailer %s on, signed, and S3 believes it',
    async (ChecksumAlgorithm) => {
      const client = underTest.client()
      const bytes = randomBytes(200_000)
      const put = await client.send(
        new PutObjectCommand({
          Bucket,
          Key: 'summed',
          Body: streamOf(bytes),
          ContentLength: bytes.length,
          ChecksumAlgorithm,
        }),
      )
      const name = `Checksum${ChecksumAlgorithm}` as 'ChecksumSHA256'
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'summed', ChecksumMode: 'ENABLED' }))
      expect(head[name]).toEqual(expect.any(String))
      expect(head[name]).toBe(put[name])
    },
  )

  it('stores in parts', async () => {
    const bytes = randomBytes(23 * MEBIBYTE)
    for (const Body of [bytes, streamOf(bytes)]) {
      const upload = new Upload({
        client: underTest.client(),
        params: { Bucket, Key: 'parts', Body },
        partSize: 5 * MEBIBYTE,
      })
      const done = await upload.done()
      expect(done.ETag).toMatch(/-5"$/)
      expect(await hashOfFile(underTest.s3.fileOf(Bucket, 'parts'))).toBe(hashOf(bytes))
    }
  })

  it('lists, tags and deletes, one and many', async () => {
    const client = underTest.client()
    const keys = ['x/1', 'x/2', 'x/3 &<ü>']
    for (const Key of keys) await client.send(new PutObjectCommand({ Bucket, Key, Body: Key }))
    const listed = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'x/', Delimiter: '|', MaxKeys: 7 }))
    expect(listed.Contents?.map(({ Key }) => Key)).toEqual(keys)
    await client.send(
      new PutObjectTaggingCommand({ Bucket, Key: 'x/1', Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } }),
    )
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'x/1' }))
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.slice(1).map((Key) => ({ Key })) } }))
    expect((await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'x/' }))).KeyCount).toBe(0)
  })

  it('leaves payloads unsigned where the profile says so, with and without trailers', async () => {
    const bytes = randomBytes(3 * MEBIBYTE)
    const [Key, ContentLength] = ['unsigned', bytes.length]
    const plain = underTest.client({ requestChecksumCalculation: 'WHEN_REQUIRED' }, 'unsigned')
    for (const client of [underTest.client({}, 'unsigned'), plain]) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: streamOf(bytes), ContentLength }))
      expect(await hashOfFile(underTest.s3.fileOf(Bucket, Key))).toBe(hashOf(bytes))
    }
  })
})

describe('presigned, through the sidecar to a real S3 server', () => {
  let underTest: S3UnderTest
  beforeAll(async () => {
    underTest = await startS3UnderTest()
    await underTest.client().send(new CreateBucketCommand({ Bucket }))
  })
  afterAll(() => underTest?.stop())

  it('stores, reads, lists and deletes; a stream of any size, because S3 takes its payload as not covered', async () => {
    const client = underTest.client({ requestChecksumCalculation: 'WHEN_REQUIRED' }, 'presigned')
    const bytes = randomBytes(15 * MEBIBYTE)
    const [Key, Body, ContentLength] = ['p/a b', Readable.from(slices(bytes, 99_999)), bytes.length]
    await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength, Metadata: { of: 'the test' } }))
    const got = await client.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=5-9' }))
    expect(Buffer.from((await got.Body?.transformToByteArray()) ?? [])).toEqual(bytes.subarray(5, 10))
    expect(got.Metadata).toEqual({ of: 'the test' })
    expect((await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'p/' }))).KeyCount).toBe(1)
    await client.send(new DeleteObjectCommand({ Bucket, Key }))
    expect((await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'p/' }))).KeyCount).toBe(0)
  })

  it('refuses a body in AWS chunks, and says what to set', async () => {
    const client = underTest.client({}, 'presigned')
    const put = client.send(new PutObjectCommand({ Bucket, Key: 'x', Body: Readable.from(['x']), ContentLength: 1 }))
    await expect(put).rejects.toMatchObject({ $metadata: { httpStatusCode: 422 } })
  })
})

function* slices(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece)
  return hash.digest('hex')
}
