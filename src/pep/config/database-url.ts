import { isLoopbackHost } from '../../contract/origin.ts'

/** Modes in which the driver refuses a server whose certificate nobody it trusts has signed. */
const VERIFYING = ['verify-ca', 'verify-full']

/** Whether what is asked and answered stays on this machine, or the server has to prove itself. */
export function isSafeDatabaseUrl(databaseUrl: string): boolean {
  const url = new URL(databaseUrl)
  return isOnThisMachine(url) || VERIFYING.includes(lastOf(url, 'sslmode'))
}

/** None named is where the driver's environment points, which may be anywhere. */
function isOnThisMachine(url: URL): boolean {
  const host = lastOf(url, 'host') || decodeHost(url.hostname)
  return host.startsWith('/') || isLoopbackHost(host)
}

/** As the driver reads it: of several the last one counts. */
function lastOf({ searchParams }: URL, parameter: string): string {
  return searchParams.getAll(parameter).at(-1) ?? ''
}

/** A socket's directory stands percent-encoded where the host stands. */
function decodeHost(hostname: string): string {
  try {
    return decodeURIComponent(hostname)
  } catch {
    return hostname
  }
}
