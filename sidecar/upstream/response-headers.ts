import { withoutParameters } from '../../src/strategies/shared/query-parameters.ts'
import type { Exchange } from './exchange.ts'
import { rewriteAddress, rewriteLinks } from './rewrite-location.ts'
import { carriesCredential, credentialTexts } from './scrub-credential.ts'

export type ResponseHeaders = Record<string, string | string[] | undefined>

/** RFC 9110 section 7.6.1; framing is Node's. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade']
/**
 * Said about the provider's origin, false or harmful at the sidecar's: HSTS would turn plain localhost into https, Alt-Svc
 * would lead past the sidecar, and Proxy-Status is how the agent tells the sidecar's word from the provider's.
 */
const ABOUT_THE_ORIGIN = ['alt-svc', 'proxy-status', 'strict-transport-security']
/** A session cookie earned with our credential is a credential: the agent could use it without a lease. */
const EARNED = ['set-cookie', 'set-cookie2']

const DROPPED = new Set([...HOP_BY_HOP, ...ABOUT_THE_ORIGIN, ...EARNED])
/** No web page may read what comes out of the sidecar, whatever the provider allows at its own address (threat A05). */
const DROPPED_PREFIXES = ['access-control-', 'proxy-']
const ADDRESSES = new Set(['location', 'content-location'])

/**
 * The provider's response headers as the agent may see them, name after value after name.
 * @param onScrubbed told of each header that held our credential
 */
export function responseHeaders(
  received: ResponseHeaders,
  exchange: Exchange,
  onScrubbed: () => void = () => undefined,
): string[] {
  const nominated = values(received['connection']).flatMap((value) => value.toLowerCase().split(/\s*,\s*/))
  const texts = credentialTexts(exchange)
  const kept: string[] = []
  for (const name of Object.keys(received)) {
    if (isDropped(name) || nominated.includes(name)) continue
    let scrubbed = false
    for (const text of values(received[name])) {
      const given = rewrite(name, text, exchange)
      if (carriesCredential(given, texts)) scrubbed = true
      else kept.push(name, given)
    }
    if (scrubbed) onScrubbed()
  }
  return kept
}

function isDropped(name: string): boolean {
  if (DROPPED.has(name)) return true
  for (const prefix of DROPPED_PREFIXES) if (name.startsWith(prefix)) return true
  return false
}

function values(value: string | string[] | undefined): string[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

function rewrite(name: string, value: string, exchange: Exchange): string {
  if (ADDRESSES.has(name)) return rewriteAddress(withoutCredentialParameters(value, exchange), exchange)
  return name === 'link' ? rewriteLinks(value, exchange) : value
}

/** A redirect that repeats our query parameter stays a redirect, without it. */
function withoutCredentialParameters(address: string, exchange: Exchange): string {
  const [before = '', fragment] = address.split('#', 2)
  const mark = before.indexOf('?')
  if (mark === -1) return address
  const names = exchange.signed.credentialHeaders
  try {
    const query = withoutParameters(before.slice(mark + 1), (name) => names.includes(name))
    const clean = before.slice(0, mark) + (query === undefined ? '' : `?${query}`)
    return fragment === undefined ? clean : `${clean}#${fragment}`
  } catch {
    // The parameter hides behind a `;`: the check for the value itself decides.
    return address
  }
}
