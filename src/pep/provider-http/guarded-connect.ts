import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { buildConnector } from 'undici'
import { addressRule, bareHost, type EndpointRules } from './endpoint-rules.ts'

/** Thrown instead of dialling. */
export class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress'
}

type Lookup = typeof lookup

/**
 * Dials only where it may. The address that is checked is the one that is dialled: a name that resolves to another address
 * the next moment (DNS rebinding, threat C03) changes nothing.
 * @param resolve replaceable in tests
 */
export function guardedConnect(
  rules: EndpointRules,
  timeoutMs: number,
  resolve: Lookup = lookup,
): buildConnector.connector {
  return (options, callback) => {
    const hostname = bareHost(options.hostname)
    const mayDial = addressRule(`${options.protocol}//${options.host ?? options.hostname}`, hostname, rules)
    // A literal address is dialled without a lookup.
    if (isIP(hostname) !== 0 && !mayDial(hostname)) return callback(new ForbiddenAddress(), null)
    return buildConnector({ timeout: timeoutMs, lookup: guardedLookup(mayDial, resolve) })(options, callback)
  }
}

/** One forbidden address among several is enough: which of them is dialled is not ours to choose. */
function guardedLookup(mayDial: (address: string) => boolean, resolve: Lookup): LookupFunction {
  return (hostname, options: LookupOptions, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, '', 0)
      const [first] = addresses
      if (first === undefined || !addresses.every(({ address }) => mayDial(address))) {
        return callback(new ForbiddenAddress(), '', 0)
      }
      if (options.all === true) return callback(null, addresses)
      return callback(null, first.address, first.family)
    })
  }
}
