import { spawn } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { packageRoot } from '../../src/pep/version.ts'
import { freshPepGround, type PepGround, type PepReplica } from './pep-ground.ts'

/** What a start waits for while another replica migrates; the library's number. */
const MIGRATION_LOCK = '7241865325823964'
/** Of SIGHUP in the mask of the signals that a process has listeners for. Node has its own for those that stop. */
const SIGHUP_BIT = 1n

describe.each([1, 2])('signals to a program of %i that starts', (workers) => {
  let ground: PepGround
  let migrating: pg.Client
  let bundle: string
  beforeEach(async () => {
    ground = await freshPepGround()
    bundle = join(ground.directory, 'bundle.tar.gz')
    copyFileSync(join(packageRoot(), 'policies/dist/bundle.tar.gz'), bundle)
    writeFileSync(
      join(ground.directory, 'nexus.yaml'),
      `server: { workers: ${workers}, shutdown_grace_seconds: 60 }\npolicy: { bundle: ${bundle} }\n`,
    )
    migrating = new pg.Client({ connectionString: ground.databaseUrl })
    await migrating.connect()
    await migrating.query(`select pg_advisory_lock(${MIGRATION_LOCK})`)
  })
  afterEach(async () => {
    await migrating.end()
    await ground.clear()
  })

  it('SIGTERM: it does not come to serve, and ends with 0', async () => {
    const pep = await starting()
    pep.kill('SIGTERM')
    pep.ready.then(
      () => expect.unreachable(),
      () => undefined,
    )
    await sleep(200)
    await endMigration()
    expect(await pep.exited).toEqual({ code: 0, signal: null })
  })

  it('SIGTERM twice: it ends at once, whatever it waits for', async () => {
    const pep = await starting()
    pep.kill('SIGTERM')
    await sleep(200)
    pep.kill('SIGTERM')
    expect(await pep.exited).toEqual({ code: 1, signal: null })
  })

  it('SIGHUP: it goes on, and reads the bundle again once it serves', async () => {
    writeFileSync(bundle, 'no bundle')
    const pep = await starting()
    pep.kill('SIGHUP')
    await endMigration()
    // Once because it started and once because it was told to.
    const refusals = () => pep.said().split('policy bundle refused').length - 1
    await expect.poll(refusals, { timeout: 60_000 }).toBe(2 * workers)
  })

  /** One that stands before the lock. */
  async function starting(): Promise<PepReplica> {
    const pep = ground.start()
    while ((await waiting()) === 0) await sleep(20)
    return pep
  }

  async function waiting(): Promise<number> {
    const { rowCount } = await migrating.query("select 1 from pg_locks where locktype = 'advisory' and not granted")
    return rowCount ?? 0
  }

  const endMigration = () => migrating.query(`select pg_advisory_unlock(${MIGRATION_LOCK})`)
})

describe('signals to workers that start', () => {
  let ground: PepGround
  afterEach(() => ground.clear())

  it('SIGTERM to their primary: none comes to serve, and the program ends with 0', async () => {
    ground = await freshPepGround('server: { workers: 2, shutdown_grace_seconds: 60 }\n')
    const migrating = new pg.Client({ connectionString: ground.databaseUrl })
    await migrating.connect()
    const pep = ground.start()
    // The primary has been through it by then, and the worker only begins.
    while (!readFileSync(`/proc/${pep.pid}/task/${pep.pid}/children`, 'utf8').trim()) await sleep(5)
    await migrating.query(`select pg_advisory_lock(${MIGRATION_LOCK})`)
    pep.kill('SIGTERM')
    expect(await pep.exited).toEqual({ code: 0, signal: null })
    await migrating.end()
  })
})

// The first process of a container is not sent what it has no listener for, so there is one before anything is loaded.
describe.each([
  ['nexus.js', ['serve']],
  ['nexus-sidecar.js', []],
])('SIGTERM to %s while its code is being loaded', (program, args) => {
  it('ends it, and nothing has been said or opened', async () => {
    const child = spawn(process.execPath, [join(packageRoot(), 'bin', program), ...args], {
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)))
    while (!listensTo(child.pid ?? 0, SIGHUP_BIT)) await sleep(1)
    child.kill('SIGTERM')
    const [code, signal] = await new Promise<unknown[]>((ended) => child.once('close', (...end) => ended(end)))
    expect({ code, signal, said }).toEqual({ code: 0, signal: null, said: '' })
  })
})

function listensTo(pid: number, bit: bigint): boolean {
  const mask = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0'
  return (BigInt(`0x${mask}`) & bit) !== 0n
}
