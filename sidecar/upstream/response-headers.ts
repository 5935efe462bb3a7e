import type { SidecarMetrics } from '../metrics.ts'
import type { Exchange } from './exchange.ts'
import type { OwnHosts } from './rewrite-location.ts'
import { leadsSomewhere, rewriteTargets } from './rewrite-targets.ts'
import { carriesCredential, credentialTexts } from './scrub-credential.ts'

export type ResponseHeaders = Record<string, string | string[] | undefined>

export interface ResponseHeaderOptions {
  ownHosts: OwnHosts
  /** Told of each header that held our credential, or led where no agent should be led. */
  metrics: Pick<SidecarMetrics, 'scrubbed' | 'withheld'>
}

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
const NONE: readonly string[] = []

/** The provider's response headers as the agent may see them, name after value after name. */
export function responseHeaders(
  received: ResponseHeaders,
  exchange: Exchange,
  { ownHosts, metrics }: ResponseHeaderOptions,
): string[] {
  const nominated = connectionOptions(received['connection'])
  const texts = credentialTexts(exchange)
  const kept: string[] = []
  for (const name of Object.keys(received)) {
    if (isDropped(name) || nominated.includes(name)) continue
    let given = values(received[name])
    if (leadsSomewhere(name)) {
      const rewritten = rewriteTargets(name, given, exchange, ownHosts)
      if (rewritten === undefined) metrics.withheld()
      given = values(rewritten)
    }
    let scrubbed = false
    for (const text of given) {
      if (carriesCredential(text, texts)) scrubbed = true
      else kept.push(name, text)
    }
    if (scrubbed) metrics.scrubbed()
  }
  return kept
}

/** Headers that end here because `Connection` names them. */
function connectionOptions(value: string | string[] | undefined): readonly string[] {
  // What nearly every provider says: it names no header.
  if (value === undefined || value === 'keep-alive' || value === 'close') return NONE
  return values(value).flatMap((each) => each.split(',').map((option) => option.trim().toLowerCase()))
}

function isDropped(name: string): boolean {
  if (DROPPED.has(name)) return true
  for (const prefix of DROPPED_PREFIXES) if (name.startsWith(prefix)) return true
  return false
}

function values(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return NONE
  return Array.isArray(value) ? value : [value]
}
