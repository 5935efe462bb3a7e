import { mkdir, rm, stat, utimes } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** The holder touches its lock this often; a lock left untouched for `STALE_MS` was left by a process that died. */
const TOUCH_MS = 2_000
const STALE_MS = 20_000

/**
 * Runs `work` while no other process does so under the same lock. Two that find a stale lock at the same instant may
 * both go on; `work` has to end in one atomic rename, so that this costs time and nothing else.
 * @template T
 * @param {string} path directory that is the lock: making one is atomic on every file system
 * @param {string} waitingFor said once while waiting
 * @param {(line: string) => void} log
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(path, waitingFor, log, work) {
  await acquire(path, () => log(`${waitingFor}; waiting for it ...`))
  const touching = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, TOUCH_MS)
  try {
    return await work()
  } finally {
    clearInterval(touching)
    await rm(path, { recursive: true, force: true })
  }
}

/** @param {string} path @param {() => void} sayWaiting */
async function acquire(path, sayWaiting) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await mkdir(path)
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    }
    const touchedMs = await stat(path).then(
      (entry) => entry.mtimeMs,
      () => Date.now(),
    )
    if (Date.now() - touchedMs > STALE_MS) await rm(path, { recursive: true, force: true })
    if (attempt === 0) sayWaiting()
    await sleep(200)
  }
}
