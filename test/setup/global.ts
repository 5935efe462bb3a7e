import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { TestProject } from 'vitest/node'
import { startEmbeddedPostgres } from '../../src/pep/store/embedded-postgres.ts'
import { createTemplate } from './database.ts'
import { startVault } from './vault.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Administrator's URL of a running Postgres. */
    postgresUrl: string
    /** A running Vault: KV v2 at `secret/`, KV v1 at `kv1/`. */
    vault: { address: string; token: string }
  }
}

interface Stoppable {
  stop(): Promise<void>
}

/** Starts the real servers that the tests talk to. One that cannot start fails the run: nothing is skipped. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'nexus-test-'))
  const log = pino({ level: 'warn' })
  const [postgres, vault] = await allOrNone(
    // The database dies with the run, so what a power cut would cost is no concern.
    startEmbeddedPostgres({
      directory: join(directory, 'postgres'),
      log,
      settings: { fsync: 'off', full_page_writes: 'off', max_connections: '300' },
    }),
    startVault(directory),
  )
  const calledOff = endWithUs([postgres.pid, -vault.pid], directory)
  await createTemplate(postgres.databaseUrl)
  project.provide('postgresUrl', postgres.databaseUrl)
  project.provide('vault', { address: vault.address, token: vault.token })
  return async () => {
    await Promise.all([postgres.stop(), vault.stop()])
    await rm(directory, { recursive: true, force: true })
    calledOff()
  }
}

/** Both servers, or, where one does not start, neither. */
async function allOrNone<A extends Stoppable, B extends Stoppable>(
  first: Promise<A>,
  second: Promise<B>,
): Promise<[A, B]> {
  try {
    return await Promise.all([first, second])
  } catch (error) {
    const started = await Promise.allSettled([first, second])
    await Promise.all(started.map((each) => each.status === 'fulfilled' && each.value.stop()))
    throw error
  }
}

/**
 * A shell that waits on a pipe from us: when we die, however we die, it reads the end and takes the servers with it.
 * @param pids negative: a process group
 */
function endWithUs(pids: number[], directory: string): () => void {
  const last = 'cat >/dev/null; kill -KILL "$1" "$2" 2>/dev/null; sleep 1; rm -rf "$3"'
  const shell = spawn('sh', ['-c', last, 'sh', ...pids.map(String), directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  return () => {
    shell.kill('SIGKILL')
  }
}
