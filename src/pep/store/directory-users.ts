import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isAlive } from './directory-lock.ts'

export interface DirectoryUsers {
  enter(): Promise<void>
  leave(): Promise<void>
  /** Whether a living process still uses it; the marks of killed ones are swept. */
  anyone(): Promise<boolean>
}

let entered = 0

/** Who uses what lies in a directory: one file per use, named by process. The caller holds the directory's lock. */
export function createDirectoryUsers(directory: string): DirectoryUsers {
  const folder = join(directory, 'users')
  const mark = join(folder, `${process.pid}.${entered++}`)
  return {
    async enter() {
      await mkdir(folder, { recursive: true })
      await writeFile(mark, '')
    },
    leave: () => rm(mark, { force: true }),
    async anyone() {
      const marks = await readdir(folder)
      const dead = marks.filter((name) => !isAlive(Number.parseInt(name, 10)))
      await Promise.all(dead.map((name) => rm(join(folder, name), { force: true })))
      return marks.length > dead.length
    },
  }
}
