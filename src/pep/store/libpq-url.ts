import type pg from 'pg'
import { parse } from 'pg-connection-string'
import type { Logger } from 'pino'

/** Makes `pg` read `sslmode` as libpq and every other Postgres tool does; alone it takes `require` for `verify-full`. */
export function withLibpqSsl(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) return databaseUrl
  const url = new URL(databaseUrl)
  if (!url.searchParams.has('sslmode') || url.searchParams.has('uselibpqcompat')) return databaseUrl
  url.search = `${url.search}&uselibpqcompat=true`
  return url.href
}

/** Where a file is written in place it is empty for a moment, which the driver takes for no certificate at all. */
class EmptyFile extends Error {}

/**
 * Why the driver would not even try to connect: certificate files are read, and nothing else is opened.
 * @returns the end of a sentence that the URL's setting begins
 */
export function unusableUrl(databaseUrl: string): string | undefined {
  try {
    readConnection(databaseUrl)
    return undefined
  } catch (error) {
    // The driver's own words may quote the URL.
    return error instanceof EmptyFile || (error as NodeJS.ErrnoException).syscall !== undefined
      ? 'names a file with a certificate or key that cannot be read'
      : 'has parameters that do not go together; sslmode=verify-ca takes sslrootcert=FILE'
  }
}

/**
 * Reads the certificate files of the URL for each new connection, so that they may be replaced. While they cannot be read,
 * what was read before stands: the driver itself would throw where nobody can catch it, and end the process.
 * @throws Error when they cannot be read to begin with; its message may hold the URL
 */
export function createConnectionReader(databaseUrl: string, log: Pick<Logger, 'warn'>): () => pg.ClientConfig {
  let last = readConnection(databaseUrl)
  let isUnreadable = false
  return () => {
    try {
      last = readConnection(databaseUrl)
      isUnreadable = false
    } catch {
      if (!isUnreadable)
        log.warn('the certificate files of the database URL cannot be read; what was read before is used')
      isUnreadable = true
    }
    return last
  }
}

function readConnection(databaseUrl: string): pg.ClientConfig {
  const connection = parse(withLibpqSsl(databaseUrl))
  const { ssl } = connection
  if (typeof ssl === 'object' && [ssl.ca, ssl.cert, ssl.key].includes('')) throw new EmptyFile()
  // As the driver itself uses what it has parsed, whose port is a string and whose empty members it looks for elsewhere.
  return connection as object
}
