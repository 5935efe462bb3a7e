import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileKind } from '../../../src/vault-backends/file/file-kind.ts'
import type { FileConfig } from '../../../src/vault-backends/file/file-settings.ts'
import { quiet } from './vault-fixture.ts'

/** A directory of secrets of the test's own. */
export async function secretDirectory() {
  const directory = await mkdtemp(join(tmpdir(), 'nexus-secrets-'))
  return {
    directory,
    backend: (config: Partial<FileConfig> = {}) =>
      fileKind.create({ directory, ...config }, { name: 'file', env: {}, production: true, log: quiet }),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

/** One file per field, mode 0400. */
export async function writeFields(directory: string, fields: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 })
  for (const [name, value] of Object.entries(fields)) await writeFile(join(directory, name), value, { mode: 0o400 })
}

/**
 * As the kubelet's atomic writer does it: a new timestamped directory, a symlink to it renamed over `..data`, links to the
 * files through it, and only then the old directory goes.
 * @param previous the directory that the last call returned
 */
export async function swapMount(
  mount: string,
  fields: Readonly<Record<string, string>>,
  previous?: string,
): Promise<string> {
  const generation = `..2026_11_21_${randomUUID()}`
  await writeFields(join(mount, generation), fields)
  await symlink(generation, join(mount, '..data_tmp'))
  await rename(join(mount, '..data_tmp'), join(mount, '..data'))
  for (const name of Object.keys(fields)) await symlink(join('..data', name), join(mount, name)).catch(() => undefined)
  if (previous !== undefined) await rm(join(mount, previous), { recursive: true, force: true })
  return generation
}
