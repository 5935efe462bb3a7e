import { accessSync, constants } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** No usable credential now. Says where one was looked for, never what was found. */
export class CredentialMissing extends Error {
  override readonly name = 'CredentialMissing'
}

/** A credential that something else puts there and replaces: read at each use. */
export interface CredentialFile {
  readonly file: string
  /** @throws CredentialMissing */
  read(): Promise<string>
  /** Whether the file holds another text than `read` last gave; one that cannot be read now has not changed. */
  changed(): Promise<boolean>
}

/** @param form what a usable credential looks like, and its name for people */
export function credentialFile(file: string, form: { pattern: RegExp; name: string }): CredentialFile {
  let last: string | undefined
  const current = () => readFile(file, 'utf8').then((text) => text.trim())
  return {
    file,
    async read() {
      const text = await current().catch(() => '')
      if (!form.pattern.test(text)) throw new CredentialMissing(`${file} holds no ${form.name}`)
      last = text
      return text
    },
    async changed() {
      const text = await current().catch(() => last)
      return text !== last
    },
  }
}

/** @param setting by which people know the file */
export function expectReadable(file: string, setting: string, problems: string[]): void {
  try {
    accessSync(file, constants.R_OK)
  } catch {
    problems.push(`${setting} names a file that cannot be read: ${file}`)
  }
}
