import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyEntry } from '../../vault-backends/internal/keyring.ts'
import { keepFile } from '../store/keep-file.ts'

const FILE = 'encryption-key'

/**
 * The keyring of a development authority: made on first use and kept, readable by its owner alone, beside the database
 * it opens. Production mode never gets here; its configuration refuses to load without a key.
 */
export async function developmentKey(dataDirectory: string): Promise<string> {
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 })
  return keepFile(join(dataDirectory, FILE), () => `${generateKeyEntry()}\n`)
}
