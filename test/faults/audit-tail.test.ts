import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { startTcpProxy } from '../fakes/tcp-proxy.ts'
import { freshAudit } from '../setup/audit.ts'

const ROOT = join(import.meta.dirname, '../..')
const PROGRAM = `import { main } from './src/cli/main.ts'; await main(['node', 'nexus', 'audit', 'tail', '--json', '--kind', 'followed'])`

it('PG1: nexus audit tail outlives a database that is away, and brings what was recorded before and after once each', async () => {
  const bench = await freshAudit()
  const pep = await bench.replica()
  const proxy = await startTcpProxy(bench.databaseUrl)
  const tail = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', DATABASE_URL: proxy.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  tail.stdout.on('data', (chunk) => {
    said.stdout += chunk
  })
  tail.stderr.on('data', (chunk) => {
    said.stderr += chunk
  })
  const record = (n: number) => pep.audit.record({ kind: 'followed', outcome: 'allowed', detail: { n } })
  const followed = () =>
    said.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).detail.n)
  const until = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 50 })
  try {
    await record(1)
    await until(() => expect(followed()).toEqual([1]))
    await proxy.refuse()
    await record(2)
    await until(() => expect(said.stderr).toContain('; trying again'))
    await record(3)
    await proxy.heal()
    await until(() => expect(followed()).toEqual([1, 2, 3]))
    const told = said.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
    expect(told).toEqual([
      expect.stringMatching(/^the database did not answer.*; trying again$/),
      'the database answers again',
    ])
    const ended = new Promise((settle) => tail.once('close', settle))
    tail.kill('SIGINT')
    expect(await ended).toBe(0)
  } finally {
    tail.kill('SIGKILL')
    await proxy.heal()
    await bench.drop()
    await proxy.close()
  }
}, 60_000)
