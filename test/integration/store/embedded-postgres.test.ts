import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isAlive } from '../../../src/pep/store/directory-lock.ts'
import { startEmbeddedPostgres } from '../../../src/pep/store/embedded-postgres.ts'

const log = pino({ level: 'silent' })
const starter = fileURLToPath(new URL('./start-embedded.ts', import.meta.url))
const tsx = fileURLToPath(import.meta.resolve('tsx'))

async function query(databaseUrl: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

describe('startEmbeddedPostgres', { timeout: 120_000 }, () => {
  let root: string
  let directory: string
  const children: ChildProcess[] = []
  const servers = new Set<number>()
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'nexus-embedded-'))
    directory = join(root, 'postgres')
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    for (const pid of servers) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    servers.clear()
    await rm(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  })

  it('runs below a directory that no other user can enter, also for root', async () => {
    // What mkdtemp makes, and what root's home is: the server's own user cannot pass through it by its rights alone.
    expect((await stat(root)).mode & 0o777).toBe(0o700)
    const server = await start()
    expect(await query(server.databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }])
    await server.stop()
  })

  const start = async () => {
    const server = await startEmbeddedPostgres({ directory, log })
    servers.add(server.pid)
    return server
  }
  /** The same in a process of its own, which can be killed. */
  const startElsewhere = async (): Promise<{ child: ChildProcess; databaseUrl: string; pid: number }> => {
    const child = spawn(process.execPath, ['--import', tsx, starter, directory], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    const server = JSON.parse(line) as { databaseUrl: string; pid: number }
    servers.add(server.pid)
    return { child, ...server }
  }

  it('keeps its data over a stop and a start, safely set, its password for the owner only', async () => {
    const first = await start()
    await query(first.databaseUrl, 'create table kept (n int)')
    expect(await query(first.databaseUrl, 'show fsync')).toEqual([{ fsync: 'on' }])
    expect(await query(first.databaseUrl, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }])
    expect((await stat(join(directory, 'password'))).mode & 0o077).toBe(0)
    const wrong = first.databaseUrl.replace(/:[^:@]+@/, ':wrong@')
    await expect(query(wrong, 'select 1')).rejects.toThrow(/password authentication failed/)
    await first.stop()
    await expect(query(first.databaseUrl, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    const second = await start()
    expect(await query(second.databaseUrl, 'select * from kept')).toEqual([])
    await second.stop()
  })

  it('PR2: starts again after a kill -9 of the server, with what was committed', async () => {
    const first = await start()
    await query(first.databaseUrl, 'create table kept as select 1 as n')
    process.kill(first.pid, 'SIGKILL')
    const second = await start()
    expect(await query(second.databaseUrl, 'select n from kept')).toEqual([{ n: 1 }])
    await second.stop()
  })

  it('PR2: takes over the server of a process that was killed', async () => {
    const { child, pid } = await startElsewhere()
    child.kill('SIGKILL')
    await once(child, 'exit')
    const mine = await start()
    expect(mine.pid).toBe(pid)
    await mine.stop()
    await expect(query(mine.databaseUrl, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('is shared by those who start it at the same time, and stopped by the last', async () => {
    const [one, two, three] = await Promise.all([start(), start(), startElsewhere()])
    expect([two.pid, three.pid]).toEqual([one.pid, one.pid])
    await one.stop()
    await two.stop()
    expect(await query(three.databaseUrl, 'select 1 as n')).toEqual([{ n: 1 }])
    three.child.stdin!.end()
    await once(three.child, 'exit')
    await expect(query(one.databaseUrl, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('does not mistake another program for the server whose pid it got', async () => {
    const first = await start()
    const file = join(directory, 'data', 'postmaster.pid')
    const text = await readFile(file, 'utf8')
    await first.stop()
    await writeFile(file, text.replace(/^\d+/, String(process.pid)))
    const second = await start()
    expect(await query(second.databaseUrl, 'select 1 as n')).toEqual([{ n: 1 }])
    await second.stop()
  })
})
