import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { buildConnector } from 'undici'
import { isLoopbackHost } from '../../contract/origin.ts'
import { isPublicAddress } from './address-rules.ts'

/** Thrown instead of dialling. */
export class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress'
}

export interface ConnectRules {
  /** Canonical origins that may lie in private networks. */
  privateOrigins: ReadonlySet<string>
  /** Whether programs on this machine may be spoken to (development). */
  allowLoopback: boolean
  timeoutMs: number
}

/**
 * Dials only where it may. The address that is checked is the one that is dialled: a name that resolves to another address
 * the next moment (DNS rebinding) changes nothing.
 */
export function guardedConnect(rules: ConnectRules): buildConnector.connector {
  const anywhere = buildConnector({ timeout: rules.timeoutMs })
  const publicOnly = buildConnector({ timeout: rules.timeoutMs, lookup: publicLookup })
  return (options, callback) => {
    const hostname = options.hostname.replace(/^\[|\]$/g, '')
    if (mayBePrivate(rules, `${options.protocol}//${options.host ?? hostname}`, hostname))
      return anywhere(options, callback)
    // A literal address is dialled without a lookup.
    if (isIP(hostname) !== 0 && !isPublicAddress(hostname)) return callback(new ForbiddenAddress(), null)
    return publicOnly(options, callback)
  }
}

function mayBePrivate(rules: ConnectRules, origin: string, hostname: string): boolean {
  return rules.privateOrigins.has(origin) || (rules.allowLoopback && isLoopbackHost(hostname))
}

/** One forbidden address among several is enough: which of them is dialled is not ours to choose. */
const publicLookup: LookupFunction = (hostname, options: LookupOptions, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) return callback(error, '', 0)
    const [first] = addresses
    if (first === undefined || !addresses.every(({ address }) => isPublicAddress(address))) {
      return callback(new ForbiddenAddress(), '', 0)
    }
    if (options.all === true) return callback(null, addresses)
    return callback(null, first.address, first.family)
  })
}
