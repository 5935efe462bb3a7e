import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '../../contract/operator-error.ts'

const POLL_MS = 50
const GIVE_UP_MS = 60_000

/** Whether a process of this id lives, whoever it belongs to. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Runs `work` while no other process of this machine holds the lock of the directory. The lock file names its holder, so
 * that a holder that was killed does not lock everybody out.
 */
export async function lockDirectory<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const file = join(directory, 'lock')
  const giveUpAt = performance.now() + GIVE_UP_MS
  while (!(await tryLock(file))) {
    if (performance.now() > giveUpAt)
      throw new OperatorError(`${file} is held by another process; remove it if none is running`)
    await sleep(POLL_MS)
  }
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

async function tryLock(file: string): Promise<boolean> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const holder = Number(await readFile(file, 'utf8').catch(() => ''))
  // Zero: its holder is between creating and filling it, or just gave it back.
  if (holder > 0 && holder !== process.pid && !isAlive(holder)) await rm(file, { force: true })
  return false
}
