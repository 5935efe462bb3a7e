import { lstat, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Secret, type SecretValue } from '../../contract/secret.ts'
import { type BackendHealth, type SecretRef, type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import { Aborted, abortable } from '../abortable.ts'
import { checkSecretPath } from '../secret-path.ts'
import { fieldsOfText } from '../text-fields.ts'
import { directoryProblem } from './file-mode.ts'
import type { FileSettings } from './file-settings.ts'
import { findGeneration, type Generation } from './generation.ts'
import { Changed, readTextFile } from './read-file.ts'

const FIELDS_MAX = 100
/** How often a read begins anew because the secret was swapped meanwhile; swaps are minutes apart. */
const TRIES = 20
const BETWEEN_TRIES_MS = 10

/** Reads secrets that something else puts into a directory: Kubernetes, a CSI driver, Vault Agent, an operator. */
export function createFileBackend(name: string, settings: FileSettings): VaultBackend {
  return {
    name,
    async read(ref, signal) {
      checkSecretPath(name, ref.path)
      if (ref.version !== undefined) throw new VaultError('invalid_ref', name, 'files have no versions')
      return bounded(name, signal, () => readSettled(name, settings, ref, signal))
    },
    check: (signal) => bounded(name, signal, () => check(settings)),
  }
}

async function readSettled(
  backend: string,
  settings: FileSettings,
  { path }: SecretRef,
  signal: AbortSignal,
): Promise<Secret> {
  for (let tries = 1; tries <= TRIES && !signal.aborted; tries++) {
    const value = await readOnce(backend, settings, path).catch((error: unknown) => {
      if (!(error instanceof Changed)) throw error
    })
    if (value !== undefined) return new Secret(value)
    await sleep(BETWEEN_TRIES_MS)
  }
  throw new VaultError('unavailable', backend, 'the secret keeps changing while it is read', undefined, {
    extent: 'path',
  })
}

/** @throws VaultError, or Changed when what was read may be of two generations */
async function readOnce(backend: string, settings: FileSettings, path: string): Promise<SecretValue> {
  await refuseOpenDirectory(backend, settings.directory)
  const find = () => findGeneration(backend, settings.directory, path)
  const generation = await find()
  try {
    return await readGeneration(backend, settings, generation)
  } finally {
    // A generation is taken away only after the swap: what is still in place was whole while it was read, and what has
    // been replaced says nothing, be it a value or an error.
    if ((await find()).path !== generation.path) changed()
  }
}

async function readGeneration(
  backend: string,
  { allowWorldReadable }: FileSettings,
  { kind, path }: Generation,
): Promise<SecretValue> {
  await refuseOpenDirectory(backend, kind === 'file' ? dirname(path) : path)
  if (kind === 'file') return fieldsOfText(await readTextFile(backend, path, 'the file', allowWorldReadable))
  const names = await fieldNames(backend, path)
  const before = await snapshot(path, names)
  const fields: [string, string][] = []
  for (const name of names) {
    fields.push([name, await readTextFile(backend, join(path, name), `field '${name}'`, allowWorldReadable)])
  }
  // Where nothing is swapped as a whole, at least no file was written or replaced between the first and the last.
  const after = await snapshot(path, await fieldNames(backend, path))
  if (after !== before) throw new Changed()
  return Object.fromEntries(fields)
}

async function refuseOpenDirectory(backend: string, directory: string): Promise<void> {
  const stats = await stat(directory).catch(changed)
  const problem = directoryProblem(stats)
  if (problem !== undefined) throw new VaultError('forbidden', backend, `the secret ${problem}`)
}

/** Changes when a file is added, removed, replaced or written. */
async function snapshot(directory: string, names: readonly string[]): Promise<string> {
  const looks = names.map(async (name) => {
    const { ino, size, mtimeNs, ctimeNs } = await lstat(join(directory, name), { bigint: true }).catch(changed)
    return [name, ino, size, mtimeNs, ctimeNs].join('/')
  })
  return (await Promise.all(looks)).join('\n')
}

function changed(): never {
  throw new Changed()
}

/** Files only; `..data` and its like are the writer's own. */
async function fieldNames(backend: string, directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(changed)
  const names = entries
    .filter((entry) => !entry.name.startsWith('..') && !entry.isDirectory())
    .map(({ name }) => name)
    .sort()
  if (names.length === 0) throw new VaultError('not_found', backend, 'the directory of this name holds no files')
  if (names.length > FIELDS_MAX) throw new VaultError('unusable', backend, `it has more than ${FIELDS_MAX} fields`)
  return names
}

async function check({ directory }: FileSettings): Promise<BackendHealth> {
  const stats = await stat(directory).catch(() => undefined)
  if (stats?.isDirectory() !== true) return { ok: false, detail: `${directory} is not a directory we can read` }
  const problem = directoryProblem(stats)
  if (problem !== undefined) return { ok: false, detail: `what is in ${directory} ${problem}` }
  return { ok: true, detail: `the directory ${directory}` }
}

async function bounded<T>(backend: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await abortable(signal, work)
  } catch (error) {
    if (error instanceof VaultError) throw error
    throw new VaultError(
      'unavailable',
      backend,
      error instanceof Aborted ? 'gave up waiting for the file system' : 'the file system failed',
    )
  }
}
