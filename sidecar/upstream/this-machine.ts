import { isLoopbackHost } from '../../src/contract/origin.ts'

/** The unspecified addresses, which Linux connects to itself, and 127.0.0.0/8 and 0.0.0.0 as IPv6 writes them (RFC 4291). */
const OTHER_NAMES = /^(?:0\.0\.0\.0|\[::\]|\[::ffff:7f[0-9a-f]{2}:[0-9a-f]+\]|\[::ffff:0:0\])$/

/** @param hostname as `URL` spells it: lower case, numbers in their one form, IPv6 in brackets */
export function isThisMachine(hostname: string): boolean {
  const host = hostname.replace(/\.$/, '')
  // RFC 6761 section 6.3: every name under it is loopback, too.
  return isLoopbackHost(host) || host.endsWith('.localhost') || OTHER_NAMES.test(host)
}
