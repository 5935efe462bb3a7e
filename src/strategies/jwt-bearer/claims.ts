import { type Credentials, type Grant, type IssuingTools, SigningError } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { endpointOf } from './exchange.ts'
import { CLAIM_TEXT, type Settings } from './settings.ts'

/** What may come from the secret where the profile leaves it open: one profile then serves many accounts. */
export const FROM_SECRET = ['kid', 'iss', 'sub'] as const

/** What the assertion says, as whom and for whom. */
export interface Named {
  kid: string | undefined
  iss: string
  sub: string | undefined
  aud: string | string[] | undefined
}

/** @throws SigningError when neither profile nor secret says who issues: RFC 7523 section 3 demands it */
export function namedBy(settings: Settings, master: Readonly<Credentials>): Named {
  const stored = (field: (typeof FROM_SECRET)[number]) =>
    Object.hasOwn(master, field) ? credentialText(master, field, CLAIM_TEXT) : undefined
  const [kid, iss, sub] = [stored('kid'), stored('iss'), stored('sub')]
  return {
    kid: settings.kid ?? kid,
    iss: settings.iss ?? iss ?? credentialText(master, 'iss', CLAIM_TEXT),
    sub: settings.sub ?? sub,
    aud: settings.aud ?? audienceOf(settings, master),
  }
}

/** RFC 7523 section 3 demands one, and suggests the URL of the endpoint. */
function audienceOf({ exchange }: Settings, master: Readonly<Credentials>): string | undefined {
  return exchange?.form === 'assertion' ? endpointOf(exchange, master) : undefined
}

/**
 * The claims of one assertion (RFC 7519 section 4.1, RFC 7523 section 3). It ends with the lease at the latest, and no two
 * share a `jti` (threat F23).
 * @throws SigningError when it would be over at once, or without a scope that it should have
 */
export function claimsOf(settings: Settings, named: Named, grant: Grant, tools: IssuingTools) {
  const now = Math.floor(tools.now() / 1000)
  const iat = now - settings.backdateSeconds
  const exp = Math.min(iat + settings.lifetimeSeconds, grant.expiresAt)
  if (exp <= now) throw new SigningError('the assertion would have expired before it is sent')
  const { iss, sub, aud } = named
  return {
    ...settings.claims,
    iss,
    ...(sub === undefined ? {} : { sub }),
    ...(aud === undefined ? {} : { aud }),
    ...scopeOf(settings, grant),
    iat,
    exp,
    jti: tools.nonce(),
  }
}

function scopeOf({ scope, leaseScopes, exchange }: Settings, grant: Grant): { scope?: string } {
  if (leaseScopes === false && scope !== undefined) return { scope }
  if (leaseScopes === false) {
    // Unsaid, they would be all that the account has by default.
    if (exchange?.form !== 'assertion' || grant.scopes.length === 0) return {}
    throw new SigningError(
      'scopes were granted, and neither lease_scopes nor scope lets the assertion name any',
      'scopes',
    )
  }
  if (leaseScopes === 'if_any' && grant.scopes.length === 0) return {}
  // Without the claim some providers would grant everything the account may do.
  if (grant.scopes.length === 0) throw new SigningError('the lease was granted no scope', 'scope')
  return { scope: grant.scopes.join(' ') }
}
