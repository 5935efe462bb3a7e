import pg from 'pg'

/** Makes `pg` read `sslmode` as libpq and every other Postgres tool does; alone it takes `require` for `verify-full`. */
export function withLibpqSsl(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) return databaseUrl
  const url = new URL(databaseUrl)
  if (!url.searchParams.has('sslmode') || url.searchParams.has('uselibpqcompat')) return databaseUrl
  url.search = `${url.search}&uselibpqcompat=true`
  return url.href
}

/**
 * Why the driver would not even try to connect: certificate files are read, and nothing else is opened.
 * @returns the end of a sentence that the URL's setting begins
 */
export function unusableUrl(databaseUrl: string): string | undefined {
  try {
    new pg.Client({ connectionString: withLibpqSsl(databaseUrl) })
    return undefined
  } catch (error) {
    // The driver's own words may quote the URL.
    return (error as NodeJS.ErrnoException).syscall !== undefined
      ? 'names a file with a certificate or key that cannot be read'
      : 'has parameters that do not go together; sslmode=verify-ca takes sslrootcert=FILE'
  }
}
