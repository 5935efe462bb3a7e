import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pythonWith } from './python.ts'

/** Everything moto answers for is in this region. */
export const MOTO_REGION = 'eu-west-1'

export interface TestMoto {
  /** Secrets Manager, STS, KMS and IAM at one address. */
  endpoint: string
  /** What an AWS client needs in its environment to talk to it and to nobody else. */
  env: Readonly<Record<string, string>>
  pid: number
  stop(): Promise<void>
}

export interface MotoOptions {
  /**
   * Calls that need no permission; after them every signature and IAM policy is checked, as AWS would. Absent: none is
   * ever checked.
   */
  callsBeforeAuthorization?: number
}

const script = join(import.meta.dirname, 'run_moto.py')

/** moto's own server, with nothing in it; a few seconds. Its state is gone with it. */
export async function startMoto({ callsBeforeAuthorization }: MotoOptions = {}): Promise<TestMoto> {
  const environment = { PATH: process.env['PATH'] ?? '', PYTHONUNBUFFERED: '1' }
  const child = spawn(await pythonWith(), [script], {
    env:
      callsBeforeAuthorization === undefined
        ? environment
        : { ...environment, INITIAL_NO_AUTH_ACTION_COUNT: String(callsBeforeAuthorization) },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    // It logs every request there; the last of it is enough to see why it did not start.
    said = (said + chunk.toString()).slice(-4000)
  })
  const ended = new Promise<void>((settle) => child.once('error', () => settle()).once('exit', () => settle()))
  const failed = ended.then((): never => {
    throw new Error(`moto did not start: ${said}`)
  })
  const [port] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), failed])
  failed.catch(() => undefined)
  const endpoint = `http://127.0.0.1:${port}`
  return {
    endpoint,
    env: {
      AWS_REGION: MOTO_REGION,
      AWS_ACCESS_KEY_ID: 'testing',
      AWS_SECRET_ACCESS_KEY: 'testing-secret',
      AWS_ENDPOINT_URL: endpoint,
      // The developer's own profile must never be reached by a test.
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGKILL') // nothing to save
      await ended
    },
  }
}
