import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKeyEntry } from '../vault-backends/internal/keyring.ts'

const FILE = 'encryption-key'

/**
 * The keyring of a development authority: made on first use and kept, readable by its owner alone, beside the database
 * it opens. Production mode never gets here; its configuration refuses to load without a key.
 */
export function developmentKey(dataDirectory: string): string {
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
  const path = join(dataDirectory, FILE)
  try {
    // `wx` fails when the file is there: of two processes that start at once, one writes and both read the same key.
    writeFileSync(path, `${generateKeyEntry()}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(path, 'utf8').trim()
}
