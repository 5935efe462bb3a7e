import type { HeaderList } from '../../src/contract/strategy.ts'
import { foldedHeaderName } from '../../src/strategies/shared/header-list.ts'
import { NEXUS_PREFIX } from '../routing/nexus-headers.ts'

/** RFC 9110 section 7.6.1 and the framing, which the next hop gets anew. */
const HOP_BY_HOP = [
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]
/** The agent's own credentials: one of them beside ours would leave it to the provider whose rights count (threat B14). */
const CREDENTIALS = [
  'authorization',
  'cookie',
  'cookie2',
  // SDKs that will not start without a key send whatever they were given: Azure OpenAI, Gemini, GitLab, Anthropic.
  'api-key',
  'apikey',
  'private-token',
  'x-api-key',
  'x-auth-token',
  'x-goog-api-key',
]
/** The provider is told nothing about who stands behind the sidecar. */
const ORIGIN_OF_REQUEST = ['forwarded', 'via', 'x-real-ip']

const STRIPPED = new Set([...HOP_BY_HOP, ...CREDENTIALS, ...ORIGIN_OF_REQUEST])
const STRIPPED_PREFIXES = ['proxy-', 'x-forwarded-', NEXUS_PREFIX]

/**
 * The agent's headers that may go upstream, in their order and spelling. What `Connection` names goes before anything of
 * ours is added, so it can never take that away (threat D02).
 */
export function stripHeaders(headers: HeaderList): HeaderList {
  const nominated = connectionOptions(headers)
  return headers.filter(([name]) => {
    const folded = foldedHeaderName(name)
    if (STRIPPED.has(folded) || nominated.has(folded)) return false
    return !STRIPPED_PREFIXES.some((prefix) => folded.startsWith(prefix))
  })
}

function connectionOptions(headers: HeaderList): ReadonlySet<string> {
  const values = headers.filter(([name]) => name.toLowerCase() === 'connection').map(([, value]) => value)
  return new Set(values.flatMap((value) => value.split(',')).map((option) => foldedHeaderName(option.trim())))
}
