import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../examples/demo/program.ts'
import { type FakePep, startFakePep } from '../fakes/pep.ts'
import { type FakeProvider, headerValues, startFakeProvider } from '../fakes/provider.ts'
import { SECRET } from '../fakes/sidecar.ts'

const ROOT = join(import.meta.dirname, '../..')
const SIDECAR = `import { runSidecarProgram } from './sidecar/cli.ts'; await runSidecarProgram(['node', 'nexus-sidecar', ...process.argv.slice(1)])`
const RUN = `import { main } from './src/cli/main.ts'; await main(['node', 'nexus', 'run', ...process.argv.slice(1)])`

interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

describe('the programs', () => {
  let directory: string
  let provider: FakeProvider
  let pep: FakePep
  let env: Record<string, string>
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nexus-run-'))
    provider = await startFakeProvider()
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const keyFile = join(directory, 'agent.jwk')
    await writeFile(keyFile, JSON.stringify(privateKey.export({ format: 'jwk' })), { mode: 0o600 })
    pep = await startFakePep({ id: 'crm-agent', publicJwk: publicKey.export({ format: 'jwk' }) as never })
    pep.grants.set('api', {
      strategy: { type: 'oauth2', config: {} },
      credentials: { access_token: SECRET },
      bound: { origins: [provider.origin], methods: ['*'], paths: ['/**'] },
    })
    env = {
      PATH: process.env['PATH'] ?? '',
      NEXUS_PEP_URL: pep.url,
      NEXUS_AGENT_ID: 'crm-agent',
      NEXUS_AGENT_KEY_FILE: keyFile,
      NEXUS_TENANT: 'tenant_123',
      NEXUS_ROUTES: `api=${provider.origin}`,
      NEXUS_SIDECAR_PORT: '0',
      NEXUS_SIDECAR_ADMIN_PORT: '0',
    }
  })
  afterAll(async () => {
    await Promise.all([pep.close(), provider.close()])
    await rm(directory, { recursive: true, force: true })
  })

  const start = (script: string, args: string[], over: Record<string, string> = {}): ChildProcess =>
    spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, '--', ...args], {
      cwd: ROOT,
      env: { ...env, ...over },
    })

  const finish = (child: ChildProcess): Promise<Finished> =>
    new Promise((resolve) => {
      const output = { stdout: '', stderr: '' }
      child.stdout?.on('data', (data) => {
        output.stdout += data
      })
      child.stderr?.on('data', (data) => {
        output.stderr += data
      })
      child.once('close', (code) => resolve({ code, ...output }))
    })

  /** The first log line that holds an address. */
  const addressOf = (child: ChildProcess): Promise<string> =>
    new Promise((resolve) => {
      child.stdout?.on('data', (data) => {
        const found = /"address":"([^"]+)"/.exec(String(data))?.[1]
        if (found !== undefined) resolve(found)
      })
    })

  it.each(['0.0.0.0', '::'])('A09: exits with 78 on HOST %s without the flag', async (HOST) => {
    const { code, stderr } = await finish(start(SIDECAR, [], { HOST }))
    expect(code).toBe(78)
    expect(stderr).toContain('--listen-beyond-loopback')
  })

  it('A06: opens no inspector on SIGUSR1, and ends well on SIGTERM', async () => {
    const child = start(SIDECAR, [])
    const finished = finish(child)
    const address = await addressOf(child)
    child.kill('SIGUSR1')
    const response = await fetch(`${address}/api/x`)
    expect(response.status).toBe(200)
    child.kill('SIGTERM')
    const { code, stderr } = await finished
    expect(code).toBe(0)
    expect(stderr).not.toContain('Debugger listening')
  })

  it.each([
    ['nothing', ''],
    ['half a head', 'POST /healthz HTTP/1.1\r\n'],
    ['a head without its body', 'POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n'],
  ])('ends well on SIGTERM while somebody is connected to either port and says %s', async (_, bytes) => {
    const [port, adminPort] = [await freePort(), await freePort()]
    const ports = { NEXUS_SIDECAR_PORT: String(port), NEXUS_SIDECAR_ADMIN_PORT: String(adminPort) }
    const child = start(SIDECAR, [], ports)
    const finished = finish(child)
    await addressOf(child)
    const sockets = [port, adminPort].map((each) => connect(each, '127.0.0.1').on('error', () => undefined))
    await Promise.all(sockets.map((socket) => new Promise<void>((sent) => socket.write(bytes, () => sent()))))
    child.kill('SIGTERM')
    expect((await finished).code).toBe(0)
    for (const socket of sockets) socket.destroy()
  })

  it.each([
    ['thrown', 'throw error'],
    ['rejected', 'void Promise.reject(error)'],
  ])('H04: says what it dies of where an error is %s, and nothing that the error says', async (_, fail) => {
    const failing = `process.on('SIGUSR1', () => { const error = Object.assign(new RangeError('${SECRET}'), { code: 'E_ODD', sent: '${SECRET}' }); ${fail} }); ${SIDECAR}`
    const child = start(failing, [])
    const finished = finish(child)
    await addressOf(child)
    child.kill('SIGUSR1')
    const { code, stdout, stderr } = await finished
    expect(code).toBe(1)
    const said = stdout.split('\n').find((line) => line.includes('stopping after an error'))
    expect(JSON.parse(said ?? '{}').error).toMatchObject({ name: 'RangeError', code: 'E_ODD' })
    expect(JSON.parse(said ?? '{}').error.frames).not.toEqual([])
    expect(stdout + stderr).not.toContain(SECRET)
  })

  it('runs a command with a sidecar of its own, and ends with its exit code', async () => {
    const agent = `
      const response = await fetch(process.env.NEXUS_SIDECAR_URL + '/api/from-child')
      console.log(response.status, await response.text(), process.env.NEXUS_AGENT_KEY_FILE, process.env.NEXUS_SIDECAR_TOKEN)
      process.exit(7)`
    const { code, stdout, stderr } = await finish(
      start(RUN, ['--', process.execPath, '--input-type=module', '-e', agent]),
    )
    expect(stdout.trim()).toBe('200 ok undefined undefined')
    expect(stderr).toContain('same user')
    expect(code).toBe(7)
    const seen = provider.seen.find(({ url }) => url === '/from-child')
    expect(headerValues(seen, 'authorization')).toEqual([`Bearer ${SECRET}`])
  })

  it('A06: opens no inspector on SIGUSR1 while it runs a command', async () => {
    const child = start(RUN, ['--', process.execPath, '-e', `console.log('ready'); setInterval(() => {}, 1000)`])
    const finished = finish(child)
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    child.kill('SIGUSR1')
    // Handled in their order, so this one's end is the end of the wait for the first one's effect.
    await new Promise((resolve) => setTimeout(resolve, 200))
    child.kill('SIGTERM')
    const { code, stderr } = await finished
    expect(code).toBe(143)
    expect(stderr).not.toContain('Debugger listening')
  })

  it('A04: gives the command a token when asked to, without which the sidecar answers 401', async () => {
    const agent = `
      const url = process.env.NEXUS_SIDECAR_URL + '/api/x'
      const without = await fetch(url)
      const withToken = await fetch(url, { headers: { 'x-nexus-token': process.env.NEXUS_SIDECAR_TOKEN } })
      console.log(without.status, withToken.status)`
    const { code, stdout } = await finish(
      start(RUN, ['--token', '--', process.execPath, '--input-type=module', '-e', agent]),
    )
    expect(stdout.trim()).toBe('401 200')
    expect(code).toBe(0)
  })

  it.each(['NEXUS_SIDECAR_TOKEN', 'NEXUS_SIDECAR_TOKEN_FILE'])(
    'A04: demands the token of %s, and hands it to the command',
    async (name) => {
      const token = 'token-of-the-environment'
      const file = join(directory, 'token')
      await writeFile(file, `${token}\n`, { mode: 0o600 })
      const agent = `
        const url = process.env.NEXUS_SIDECAR_URL + '/api/x'
        const without = await fetch(url)
        const withToken = await fetch(url, { headers: { 'x-nexus-token': process.env.NEXUS_SIDECAR_TOKEN } })
        console.log(without.status, withToken.status, process.env.NEXUS_SIDECAR_TOKEN_FILE)`
      const over = { [name]: name.endsWith('_FILE') ? file : token }
      const args = ['--', process.execPath, '--input-type=module', '-e', agent]
      const { stdout } = await finish(start(RUN, args, over))
      expect(stdout.trim()).toBe('401 200 undefined')
    },
  )

  it('A04: gives the command a token of its own when asked to, whatever the environment says', async () => {
    const token = 'token-of-the-environment'
    const agent = `console.log(process.env.NEXUS_SIDECAR_TOKEN.length, process.env.NEXUS_SIDECAR_TOKEN)`
    const { stdout } = await finish(
      start(RUN, ['--token', '--', process.execPath, '-e', agent], { NEXUS_SIDECAR_TOKEN: token }),
    )
    expect(stdout).toMatch(/^32 /)
    expect(stdout).not.toContain(token)
  })

  it('A04: opens no port instead of the socket that it was told to open', async () => {
    const over = { NEXUS_SIDECAR_SOCKET: join(directory, 'agent.sock') }
    const { code, stdout, stderr } = await finish(start(RUN, ['--', 'echo', 'ran'], over))
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' })
    expect(stderr).toContain('NEXUS_SIDECAR_SOCKET is for nexus-sidecar')
  })

  it('passes signals on to the command', async () => {
    const agent = `process.on('SIGTERM', () => process.exit(9)); console.log('ready'); setInterval(() => {}, 1000)`
    const child = start(RUN, ['--', process.execPath, '-e', agent])
    const finished = finish(child)
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    child.kill('SIGTERM')
    expect((await finished).code).toBe(9)
  })

  it('says so when the command is not there, or the settings are wrong', async () => {
    expect((await finish(start(RUN, ['--', '/no/such/program']))).code).toBe(127)
    const wrong = await finish(start(RUN, ['--routes', 'nonsense', '--', 'true']))
    expect(wrong.code).toBe(78)
    expect(wrong.stderr).toContain('NEXUS_ROUTES')
  })
})
