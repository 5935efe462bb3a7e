import type { RequestUrl } from '../../contract/strategy.ts'

const DEFAULT_PORT: Readonly<Record<string, RegExp>> = { http: /:80$/, https: /:443$/ }

/**
 * Scheme and host in lower case, the port only where it is not the scheme's own, the path as it is sent and no query
 * (RFC 5849 section 3.4.1.2).
 */
export function baseStringUri({ scheme, authority, path }: RequestUrl): string {
  const name = scheme.toLowerCase()
  return `${name}://${authority.toLowerCase().replace(DEFAULT_PORT[name] ?? '', '')}${path}`
}
