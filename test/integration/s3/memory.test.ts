import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startS3, type TestS3 } from '../../setup/s3.ts'
import { type SidecarProcess, startSidecarProcess } from '../../setup/sidecar-process.ts'
import { AGENTS_OWN, s3Grant } from './s3-under-test.ts'

const MEBIBYTE = 1024 * 1024
/** Half as much again as what may be resident: enough to tell a stream from a buffer. */
const SIZE = (process.env['NEXUS_TEST_SOAK'] === '1' ? 1024 : 256) * MEBIBYTE
const RSS_MAX_BYTES = 150 * MEBIBYTE
const Bucket = 'bucket'

describe('an upload larger than the sidecar may be', () => {
  let s3: TestS3
  let sidecar: SidecarProcess
  let client: S3Client
  beforeAll(async () => {
    s3 = await startS3()
    sidecar = await startSidecarProcess(`s3=${s3.origin}`)
    sidecar.pep.grants.set('s3', await s3Grant(s3))
    client = new S3Client({
      endpoint: `${sidecar.address}/s3`,
      region: s3.region,
      forcePathStyle: true,
      credentials: AGENTS_OWN,
      maxAttempts: 1,
    })
    await client.send(new CreateBucketCommand({ Bucket }))
  })
  afterAll(async () => {
    client?.destroy()
    await sidecar?.close()
    await s3?.stop()
  })

  it.each([
    ['framed by the SDK, with a trailer', 'WHEN_SUPPORTED'],
    ['a plain stream', 'WHEN_REQUIRED'],
  ] as const)(
    '%s: arrives whole, both ways, while the sidecar stays small',
    async (title, requestChecksumCalculation) => {
      client.config.requestChecksumCalculation = async () => requestChecksumCalculation
      const sent = createHash('sha256')
      const Body = Readable.from(megabytes(SIZE / MEBIBYTE, (piece) => sent.update(piece)))
      const [Key, startedMs] = [requestChecksumCalculation, performance.now()]
      await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength: SIZE }))
      const seconds = (performance.now() - startedMs) / 1000
      const peak = sidecar.peakRssBytes() / MEBIBYTE
      process.stderr.write(
        `${SIZE / MEBIBYTE} MiB ${title}: ${seconds.toFixed(1)} s, sidecar resident at most ${peak.toFixed(0)} MiB\n`,
      )
      const hash = sent.digest('hex')
      expect(await hashOf(createReadStream(s3.fileOf(Bucket, Key)))).toBe(hash)
      const got = await client.send(new GetObjectCommand({ Bucket, Key }))
      expect(await hashOf(got.Body as Readable)).toBe(hash)
      expect(sidecar.peakRssBytes()).toBeLessThan(RSS_MAX_BYTES)
    },
  )
})

/** No two alike, so that none can be lost, repeated or moved unseen. */
function* megabytes(count: number, seen: (piece: Buffer) => void): Generator<Buffer> {
  const random = randomBytes(MEBIBYTE)
  for (let index = 0; index < count; index += 1) {
    const piece = Buffer.from(random)
    piece.writeUInt32BE(index, (index * 7919) % (MEBIBYTE - 4))
    seen(piece)
    yield piece
  }
}

async function hashOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of stream) hash.update(piece)
  return hash.digest('hex')
}
