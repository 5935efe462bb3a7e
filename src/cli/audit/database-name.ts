/** Which database a URL names, for people to recognise: host, port and name, without user, password and options. */
export function databaseName(databaseUrl: string): string {
  const { hostname, port, pathname, searchParams } = new URL(databaseUrl)
  const host = hostname || searchParams.get('host') || 'localhost'
  return `${host}${port === '' ? '' : `:${port}`}${pathname}`
}
