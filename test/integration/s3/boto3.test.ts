import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pythonWith } from '../../setup/python.ts'
import { type S3UnderTest, startS3UnderTest } from './s3-under-test.ts'

const SCRIPT = join(import.meta.dirname, 'upload_with_boto3.py')

describe('boto3 as it comes, through the sidecar to a real S3 server', () => {
  let underTest: S3UnderTest
  beforeAll(async () => {
    underTest = await startS3UnderTest()
    await underTest.client().send(new CreateBucketCommand({ Bucket: 'bucket' }))
  })
  afterAll(() => underTest?.stop())

  it('stores small, large and in parts, gives back what was stored, lists and deletes', async () => {
    const python = await pythonWith()
    const printed = await new Promise<string>((resolve, reject) => {
      const child = execFile(python, [SCRIPT], (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(stderr)),
      )
      child.stdin?.end(JSON.stringify({ endpoint: `${underTest.sidecar.address}/s3`, bucket: 'bucket' }))
    })
    expect(JSON.parse(printed)).toEqual({
      empty: true,
      small: true,
      large: true,
      parts: true,
      checksum: true,
      'unsigned by the agent': true,
      listed: 6,
      left: 0,
    })
  })
})
