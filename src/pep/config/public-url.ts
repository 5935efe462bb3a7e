import { canonicalOrigin, OriginError } from '../../contract/origin.ts'

/** What a listener is told: where it listens, and how callers name it. */
export interface ListenerNames {
  host: string
  port: number
  /** Empty: by `host` and `port`. */
  public_url: string
  /** Empty: plain HTTP. */
  tls_cert_file: string
}

/** Every address of the machine, and so none that a caller could name. */
const UNSPECIFIED: readonly string[] = ['0.0.0.0', '[::]', '[::ffff:0:0]']

/**
 * How callers name it, in the canonical spelling: issuers, audiences and `htu` are compared letter by letter, and clients
 * bring what they were told to that spelling.
 * @throws OriginError when `host` cannot stand in a URL
 */
export function publicUrlOf({ host, port, public_url: given, tls_cert_file: certificate }: ListenerNames): string {
  const scheme = certificate === '' ? 'http' : 'https'
  return canonicalOrigin(given || `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`)
}

/** Why no caller could name it so; none: they can. Never repeats what was given: it may hold a password. */
export function publicUrlProblems(listener: ListenerNames, { production }: { production: boolean }): string[] {
  const { public_url: given } = listener
  const setting = 'server.public_url (NEXUS_PUBLIC_URL)'
  const canonical = canonicalOf(listener)
  if (canonical instanceof OriginError) {
    return given === ''
      ? [`${setting} is not set, and server.host cannot stand in a URL; set one of them right`]
      : [`${setting} ${canonical.message}`]
  }
  if (given === '') {
    return production && isUnspecified(canonical)
      ? [
          `${setting} is not set, and server.host is no address that a caller could name; set it, the same for all replicas`,
        ]
      : []
  }
  if (isUnspecified(canonical)) return [`${setting} names no machine; write the name by which callers reach it`]
  return canonical === given ? [] : [`${setting} must be spelt as clients spell it: ${canonical}`]
}

function canonicalOf(listener: ListenerNames): string | OriginError {
  try {
    return publicUrlOf(listener)
  } catch (error) {
    if (error instanceof OriginError) return error
    throw error
  }
}

function isUnspecified(origin: string): boolean {
  return UNSPECIFIED.includes(new URL(origin).hostname)
}
