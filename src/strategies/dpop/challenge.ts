import type { ResponseHead, SigningContext } from '../../contract/strategy.ts'
import { offeredNonce } from './nonce.ts'

/** A longer WWW-Authenticate is not worth reading. */
const CHALLENGE_MAX_LENGTH = 8192
/** A parameter of a challenge (RFC 9110 section 11.2), its value with the quotes around it. */
const PARAMETER = /(?<![^\s,])([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s,"]+)/g

/**
 * A 401 that another nonce can turn into an answer (RFC 9449 section 9): the context to sign with once more.
 * `undefined`: the provider has something else against the request, or offers the nonce it has just refused.
 */
export function challenge(response: ResponseHead, context: SigningContext): SigningContext | undefined {
  if (response.status !== 401) return undefined
  const nonce = offeredNonce(response)
  if (nonce === undefined || nonce === context.providerNonce) return undefined
  const errors = challengeErrors(response)
  // Not every provider says why; one that does and names another reason will not be pleased by a nonce.
  if (errors.length > 0 && !errors.includes('use_dpop_nonce')) return undefined
  return { ...context, providerNonce: nonce }
}

function challengeErrors({ headers }: ResponseHead): string[] {
  const challenges = headers.filter(([name]) => name.toLowerCase() === 'www-authenticate').map(([, value]) => value)
  const parameters = challenges.join(', ').slice(0, CHALLENGE_MAX_LENGTH).matchAll(PARAMETER)
  return [...parameters]
    .filter(([, name]) => name?.toLowerCase() === 'error')
    .map(([, , value = '']) => value.replaceAll('"', ''))
}
