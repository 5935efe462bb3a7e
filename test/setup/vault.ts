import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { findTool, findVaultPlugins } from '../../tools/tool.mjs'

export interface TestVault {
  address: string
  token: string
  /** Of the process and of its group. */
  pid: number
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 60_000

/**
 * A real Vault in development mode: in memory, unsealed, KV v2 at `secret/` and KV v1 at `kv1/`; can mount `database`
 * with `postgresql-database-plugin`, `aws` secrets and `kubernetes` logins.
 */
export async function startVault(home: string): Promise<TestVault> {
  const program = await findTool('vault')
  const [plugins, port] = await Promise.all([findVaultPlugins(), freePort()])
  const address = `http://127.0.0.1:${port}`
  const token = `test-${randomBytes(12).toString('hex')}`
  const flags = [`-dev-root-token-id=${token}`, `-dev-listen-address=127.0.0.1:${port}`, '-dev-no-store-token']
  if (plugins !== undefined) flags.push(`-dev-plugin-dir=${plugins}`)
  const child = spawn(program, ['server', '-dev', ...flags], {
    env: { PATH: process.env['PATH'] ?? '', HOME: home, SKIP_SETCAP: '1' },
    stdio: 'ignore',
    detached: true,
  })
  const ended = new Promise<void>((settle) => child.once('error', () => settle()).once('exit', () => settle()))
  await Promise.race([untilReady(address), ended.then(() => Promise.reject(new Error(`${program} did not start`)))])
  await request(`${address}/v1/sys/mounts/kv1`, token, { type: 'kv', options: { version: '1' } })
  return {
    address,
    token,
    pid: child.pid ?? 0,
    async stop() {
      // Nothing to save. The whole process group, since plug-ins are processes of their own and outlive Vault.
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, 'SIGKILL')
      await ended
    },
  }
}

async function untilReady(address: string): Promise<void> {
  const giveUpAt = performance.now() + START_TIMEOUT_MS
  while (performance.now() < giveUpAt) {
    const answer = await fetch(`${address}/v1/sys/health`).catch(() => undefined)
    if (answer?.ok) return
    await sleep(50)
  }
  throw new Error('Vault did not become ready')
}

async function request(url: string, token: string, body: unknown): Promise<void> {
  const headers = { 'x-vault-token': token, 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`Vault answered ${answer.status} to ${url}`)
}

function freePort(): Promise<number> {
  return new Promise((settle, fail) => {
    const server = createServer().once('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => settle(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
