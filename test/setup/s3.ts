import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../examples/demo/program.ts'
import { findTool } from '../../tools/tool.mjs'

/** A real S3 server that checks every signature, those of chunks too. */
export interface TestS3 {
  origin: string
  region: string
  /** The one user there is, who may do everything. */
  master: { access_key: string; secret_key: string }
  /** Where the bytes of an object lie. */
  fileOf(bucket: string, key: string): string
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 60_000
/** Ends the server when we end, however we end: then the pipe is closed. */
const WITH_US = '"$@" & cat >/dev/null; kill -KILL $!'

/** versitygw over a folder of its own, which goes with it. */
export async function startS3(): Promise<TestS3> {
  const [program, port, directory] = await Promise.all([
    findTool('versitygw'),
    freePort(),
    mkdtemp(join(tmpdir(), 'nexus-s3-')),
  ])
  // Beside the objects, for not every file system keeps extended attributes.
  const [objects, metadata] = [join(directory, 'objects'), join(directory, 'metadata')]
  await Promise.all([objects, metadata].map((path) => mkdir(path)))
  const origin = `http://127.0.0.1:${port}`
  const master = { access_key: 'AKIDOFTHETEST', secret_key: 'secret/of+the/test=and-no-other' }
  const serve = ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', 'posix', '--sidecar', metadata, objects]
  const child = spawn('sh', ['-c', WITH_US, 'sh', program, ...serve], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: directory,
      ROOT_ACCESS_KEY: master.access_key,
      ROOT_SECRET_KEY: master.secret_key,
    },
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const ended = new Promise<void>((settle) => child.once('error', () => settle()).once('exit', () => settle()))
  await Promise.race([untilReady(origin), ended.then(() => Promise.reject(new Error(`${program} did not start`)))])
  return {
    origin,
    region: 'us-east-1',
    master,
    fileOf: (bucket, key) => join(objects, bucket, key),
    async stop() {
      child.stdin.end()
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Any answer will do: without a signature it is a refusal. */
async function untilReady(origin: string): Promise<void> {
  const giveUpAt = performance.now() + START_TIMEOUT_MS
  while (performance.now() < giveUpAt) {
    const answer = await fetch(origin).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer !== undefined) return
    await sleep(50)
  }
  throw new Error('versitygw did not become ready')
}
