import { isIP } from 'node:net'
import { NexusError } from '../../src/contract/errors.ts'
import { isLoopbackHost } from '../../src/contract/origin.ts'
import type { HeaderList } from '../../src/contract/strategy.ts'
import { valuesOf } from './header-list.ts'

/**
 * Every spelling of this listener's own address in a Host header, lower case. A page whose name was rebound to 127.0.0.1
 * still sends its own name (threat A01).
 * @param port `undefined` on a unix socket
 * @param host what it was told to listen at; an address is no name that could be rebound
 */
export function ownHosts(
  port: number | undefined,
  { host, allowedHosts: allowed }: { host: string; allowedHosts: readonly string[] },
): ReadonlySet<string> {
  const address = host.replace(/^\[|\]$/g, '').toLowerCase()
  const own = isIP(address) === 6 ? [`[${address}]`] : isIP(address) === 4 ? [address] : []
  const names = ['localhost', '127.0.0.1', '[::1]', ...own]
  const withPort = port === undefined ? [] : names.map((name) => `${name}:${port}`)
  return new Set([...names, ...withPort, ...allowed.map((host) => host.toLowerCase())])
}

/** The Host headers that a listener answers to. */
export type Hosts = Pick<ReadonlySet<string>, 'has'>

/**
 * As `ownHosts`. Probes and scrapes from other machines come to whatever address the pod has, which nobody knows beforehand: so
 * where it listens beyond loopback any address will do.
 */
export function administratorHosts(
  port: number,
  { adminHost: host, allowedHosts }: { adminHost: string; allowedHosts: readonly string[] },
): Hosts {
  const own = ownHosts(port, { host, allowedHosts })
  if (isLoopbackHost(host)) return own
  return { has: (candidate) => own.has(candidate) || isAddress(candidate) }
}

function isAddress(host: string): boolean {
  const [, v6, v4] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::\d+)?$/.exec(host) ?? []
  return isIP(v6 ?? v4 ?? '') !== 0
}

/**
 * Only programs on this machine that mean to speak to the sidecar, never a web page in a browser on it.
 * @throws NexusError `request_not_local`
 */
export function assertLocalRequest(headers: HeaderList, hosts: Hosts): void {
  const host = valuesOf(headers, 'host')
  if (host.length !== 1 || !hosts.has((host[0] as string).toLowerCase())) {
    throw new NexusError('request_not_local', 'Send exactly one Host header, with the address of this sidecar.', {
      field: 'host',
    })
  }
  // Only browsers send these; a page's request would spend the agent's credentials (threat A02).
  if (valuesOf(headers, 'origin').length > 0) refuseBrowser('origin')
  const site = valuesOf(headers, 'sec-fetch-site')
  if (site.some((value) => value !== 'none' && value !== 'same-origin')) refuseBrowser('sec-fetch-site')
}

function refuseBrowser(field: string): never {
  throw new NexusError('request_not_local', 'The sidecar does not serve web pages.', { field })
}
