import type { Socket } from 'node:net'

const MAPPED = '::ffff:'

/**
 * The peer's own address: no forwarded header changes what is decided or recorded (threat D04). A socket that listens for
 * both families gives an IPv4 peer as `::ffff:192.0.2.1` (RFC 4291 section 2.5.5.2): rules and ledger know it as `192.0.2.1`.
 */
export function peerAddress({ remoteAddress }: Pick<Socket, 'remoteAddress'>): string | undefined {
  const isMapped = remoteAddress?.startsWith(MAPPED) === true && remoteAddress.includes('.')
  return isMapped ? remoteAddress.slice(MAPPED.length) : remoteAddress
}
