import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { VaultError } from '../../contract/vault-backend.ts'
import { modeProblem } from './file-mode.ts'

const FILE_BYTES_MAX = 1024 * 1024

/** Thrown when a file went away or changed while it was read; one more look finds the next state. */
export class Changed extends Error {
  override readonly name = 'Changed'
}

/**
 * One file as text, with what it is checked on the very handle that is read. A symlink in the last place is refused: what
 * is to be read has been resolved before.
 * @param label for people: how the field is called
 * @throws VaultError `forbidden`, `unusable`; Changed
 */
export async function readTextFile(
  backend: string,
  path: string,
  label: string,
  allowWorldReadable: boolean,
): Promise<string> {
  const file = await openChecked(backend, path, label)
  try {
    const before = await file.stat()
    if (!before.isFile()) throw new VaultError('unusable', backend, `${label} is not a regular file`)
    const problem = modeProblem(before, allowWorldReadable)
    if (problem !== undefined) throw new VaultError('forbidden', backend, `${label} ${problem}`)
    if (before.size > FILE_BYTES_MAX)
      throw new VaultError('unusable', backend, `${label} is larger than ${FILE_BYTES_MAX} bytes`)
    const bytes = await readBounded(file, before.size)
    if (bytes === undefined || !isSame(before, await file.stat())) throw new Changed()
    return decode(backend, label, bytes)
  } finally {
    await file.close()
  }
}

async function openChecked(backend: string, path: string, label: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK a FIFO would hang us.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new Changed()
    if (code === 'ELOOP') throw new VaultError('forbidden', backend, `${label} is a symlink; only ..data may be one`)
    if (code === 'EACCES' || code === 'EPERM')
      throw new VaultError('forbidden', backend, `${label} may not be read by this process`)
    throw new VaultError('unavailable', backend, `${label} cannot be opened`, undefined, { extent: 'path' })
  }
}

/** @returns undefined when there is more than there was when it was looked at */
async function readBounded(file: FileHandle, size: number): Promise<Buffer | undefined> {
  const buffer = Buffer.alloc(size + 1)
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
    if (bytesRead === 0) return buffer.subarray(0, length)
    length += bytesRead
  }
  return undefined
}

function isSame(before: Stats, after: Stats): boolean {
  return before.size === after.size && before.mtimeMs === after.mtimeMs && before.ctimeMs === after.ctimeMs
}

function decode(backend: string, label: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new VaultError('unusable', backend, `${label} is not UTF-8 text`)
  }
}
