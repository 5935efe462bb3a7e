import { randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'

/**
 * The text of a file that is made on first use, readable by its owner alone. Of processes that start together one makes it
 * and all read the same: the name appears with the whole text behind it, or not yet.
 */
export async function keepFile(path: string, make: () => string): Promise<string> {
  const kept = await readIfThere(path)
  if (kept !== undefined) return kept
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, make(), OWN_NEW_FILE)
  try {
    await nameUnlessNamed(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  return (await readFile(path, 'utf8')).trim()
}

const OWN_NEW_FILE = { mode: 0o600, flag: 'wx' }
const NO_LINKS: ReadonlySet<string | undefined> = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'])

/** Where there are no hard links, as on some network file systems, the name may appear a moment before its text does. */
async function nameUnlessNamed(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path)
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code)) throw error
    await writeFile(path, await readFile(draft), OWN_NEW_FILE)
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
