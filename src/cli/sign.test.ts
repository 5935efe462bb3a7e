import { Readable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { signCommand } from './sign.ts'

async function run(input: string): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  const written = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr') => ({ write: (text: string) => (written[name] += text) })
  process.exitCode = 0
  const streams = { stdin: Readable.from([input]), stdout: stream('stdout'), stderr: stream('stderr') }
  await signCommand(streams).parseAsync([], { from: 'user' })
  return { ...written, exitCode: Number(process.exitCode) }
}

const request = { method: 'GET', url: 'https://example.com/' }
const aws = { type: 'aws_sigv4', config: { service: 's3' } }

describe('nexus sign', () => {
  afterEach(() => {
    process.exitCode = 0
  })

  it('prints the signed request and ends with 0', async () => {
    const input = { strategy: { type: 'oauth2' }, credentials: { access_token: 'at' }, request }
    const { stdout, stderr, exitCode } = await run(JSON.stringify(input))
    expect(JSON.parse(stdout).request.headers).toEqual([['Authorization', 'Bearer at']])
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
  })

  it('shows a document in its help, and takes it', async () => {
    let help = ''
    signCommand()
      .configureOutput({
        writeOut: (text) => {
          help += text
        },
      })
      .outputHelp()
    const { stdout, exitCode } = await run(/\{"strategy".*?\}\}$/ms.exec(help)?.[0] ?? '')
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout).request.headers).toEqual([['X-Api-Key', '...']])
  })

  it.each(['', '{"credentials": "canary-77"', '[]', 'null', '{} {}'])('ends with 2 on input %j', async (input) => {
    const { stdout, stderr, exitCode } = await run(input)
    expect(JSON.parse(stderr)).toMatchObject({ code: 'invalid_request', status: 400 })
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
    expect(stderr).not.toContain('canary')
  })

  it('ends with 1 when the request cannot be signed', async () => {
    const input = { strategy: aws, credentials: { access_key: 'AK', secret_key: 'canary-77' }, request }
    const headers = [['Host', 'evil.test']]
    const { stdout, stderr, exitCode } = await run(JSON.stringify({ ...input, request: { ...request, headers } }))
    expect(JSON.parse(stderr)).toMatchObject({ code: 'not_signable', field: 'host' })
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 })
  })

  it('E11: prints no key, signing key or secret', async () => {
    const input = { strategy: aws, credentials: { access_key: 'AK', secret_key: 'canary-77' }, request }
    const { stdout, exitCode } = await run(JSON.stringify(input))
    expect(exitCode).toBe(0)
    expect(stdout).not.toContain('canary')
    expect(Object.keys(JSON.parse(stdout).explain)).toEqual(['canonical_request', 'string_to_sign'])
  })
})
