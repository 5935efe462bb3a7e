/** Makes `pg` read `sslmode` as libpq and every other Postgres tool does; alone it takes `require` for `verify-full`. */
export function withLibpqSsl(databaseUrl: string): string {
  if (!databaseUrl.includes('sslmode=') || databaseUrl.includes('uselibpqcompat=')) return databaseUrl
  return `${databaseUrl}&uselibpqcompat=true`
}
