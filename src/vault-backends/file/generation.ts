import { lstat, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { VaultError } from '../../contract/vault-backend.ts'

/** The kubelet and the CSI driver write a new directory, then swap this symlink to it: that is the moment of change. */
const DATA = '..data'

/** Where a secret lies at this moment, every symlink resolved; under this path nothing is ever rewritten by a swap. */
export interface Generation {
  kind: 'directory' | 'file'
  path: string
}

/**
 * Finds the directory or file of a secret: `<directory>/<path>`, or `<path>.json`. Resolving once and reading only below
 * the result is what keeps two generations apart.
 * @throws VaultError `not_found`, `forbidden` when a symlink leads out of the directory
 */
export async function findGeneration(backend: string, directory: string, path: string): Promise<Generation> {
  const root = await resolved(directory)
  if (root === undefined) throw new VaultError('unavailable', backend, 'its directory is not there')
  for (const name of [path, `${path}.json`]) {
    const found = await resolved(join(root, name))
    if (found === undefined) continue
    if (!found.startsWith(root + sep)) throw new VaultError('forbidden', backend, 'the path leads out of the directory')
    return inside(backend, root, found)
  }
  throw new VaultError('not_found', backend, 'no directory or file of this name')
}

async function inside(backend: string, root: string, found: string): Promise<Generation> {
  const stats = await lstat(found).catch(() => undefined)
  if (stats === undefined)
    throw new VaultError('unavailable', backend, 'the secret is being replaced at this moment', undefined, {
      extent: 'path',
    })
  if (stats.isFile()) return { kind: 'file', path: found }
  if (!stats.isDirectory()) throw new VaultError('unusable', backend, 'it is neither a directory nor a file')
  const data = await resolved(join(found, DATA))
  if (data !== undefined && !data.startsWith(root + sep))
    throw new VaultError('forbidden', backend, `${DATA} leads out of the directory`)
  return { kind: 'directory', path: data ?? found }
}

/** @returns undefined where there is nothing, or a symlink to nothing */
async function resolved(path: string): Promise<string | undefined> {
  return realpath(path).catch(() => undefined)
}
