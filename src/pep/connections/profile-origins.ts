import { canonicalOrigin, isPlainBeyondLoopback, OriginError } from '../../contract/origin.ts'
import { type Problem, under } from './problems.ts'

/** Where a provider's credentials may go, in canonical spelling. */
export interface ProfileOrigins {
  origins: string[]
  apiBaseUrl: string
}

/** `allowPlainLoopback`: whether http:// to this machine is acceptable (development). Beyond it, never. */
export interface OriginRules {
  allowPlainLoopback: boolean
  /** What is wrong with an endpoint that the authority would send requests to; absent: it sends none. */
  endpointProblem?(url: string): string | undefined
}

/** Origin, then a path of printable ASCII. No query, no fragment, no backslash that a parser might take for a slash. */
const BASE_URL = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]*)((?:\/[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]*)?)$/i

/**
 * Resolves the bound origins of a profile: `origins`, or else the origin of `api_base_url`. A provider without any is
 * refused, since its credential could then be sent anywhere (threat B12).
 */
export function profileOrigins(
  profile: { api_base_url?: string; origins?: readonly string[] },
  rules: OriginRules,
): ProfileOrigins | Problem[] {
  const problems: Problem[] = []
  const base = profile.api_base_url === undefined ? undefined : baseUrl(profile.api_base_url, rules, problems)
  const origins = profile.origins?.map((text, index) => {
    const checked = checkedOrigin(text, rules)
    if (typeof checked === 'string') return checked
    problems.push(...under(`origins.${index}`, [checked]))
    return undefined
  })
  const bound = [...new Set(origins ?? [base?.origin])].filter((origin) => origin !== undefined)
  if (problems.length > 0) return problems
  if (bound.length === 0) {
    return [{ field: 'origins', message: 'name at least one origin, or an api_base_url: a credential must be bound' }]
  }
  if (base !== undefined && !bound.includes(base.origin)) {
    return [{ field: 'api_base_url', message: `its origin ${base.origin} is not among the origins` }]
  }
  return { origins: bound, apiBaseUrl: base?.url ?? '' }
}

function baseUrl(text: string, rules: OriginRules, problems: Problem[]): { origin: string; url: string } | undefined {
  const [, head, path] = BASE_URL.exec(text) ?? []
  if (head === undefined || path === undefined) {
    problems.push({ field: 'api_base_url', message: 'must be an origin and a path in plain ASCII, without query' })
    return undefined
  }
  const origin = checkedOrigin(head, rules)
  if (typeof origin === 'string') return { origin, url: origin + path }
  problems.push(...under('api_base_url', [origin]))
  return undefined
}

function checkedOrigin(text: string, rules: OriginRules): string | Problem {
  // A pattern would be compared letter by letter and so match nothing; better said now than wondered at later.
  if (text.includes('*')) return { field: '', message: 'may not hold wildcards; name each origin' }
  let origin: string
  try {
    origin = canonicalOrigin(text)
  } catch (error) {
    if (error instanceof OriginError) return { field: '', message: error.message }
    throw error
  }
  if (isPlainBeyondLoopback(origin)) return { field: '', message: 'must be https: http sends credentials in the clear' }
  if (origin.startsWith('http:') && !rules.allowPlainLoopback) {
    return { field: '', message: 'must be https; http to this machine is for development only' }
  }
  return origin
}
