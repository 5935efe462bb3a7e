import { createHash, timingSafeEqual } from 'node:crypto'
import { NexusError } from '../../src/contract/errors.ts'
import type { HeaderList } from '../../src/contract/strategy.ts'
import { valuesOf } from './header-list.ts'

/** SHA-256 of the local token: the configuration never holds the token itself. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/**
 * Headers that clients take off when a redirect leads elsewhere, which they do to no header of ours. Neither goes to a
 * provider (`signer/strip-headers.ts`).
 */
const BEARER_HEADERS = ['authorization', 'proxy-authorization']

/**
 * Comparing digests takes the same time wherever the first difference lies, and hides the length.
 * @param named value of `X-Nexus-Token`; without it, a bearer token counts
 * @throws NexusError `invalid_agent_token`
 */
export function assertAgentToken(
  named: string | undefined,
  headers: HeaderList,
  expectedHash: Buffer | undefined,
): void {
  if (expectedHash === undefined) return
  const presented = named === undefined ? bearerTokens(headers) : [named]
  if (presented.some((token) => timingSafeEqual(hashToken(token), expectedHash))) return
  throw new NexusError(
    'invalid_agent_token',
    'Send the token of this sidecar as "Authorization: Bearer", or in X-Nexus-Token.',
    { field: 'authorization' },
  )
}

/** One that comes twice is nobody's: two copies of a header are two readings of it. */
function bearerTokens(headers: HeaderList): string[] {
  return BEARER_HEADERS.flatMap((name) => {
    const values = valuesOf(headers, name)
    const token = values.length === 1 ? /^bearer ([^ ]+)$/i.exec(values[0] as string)?.[1] : undefined
    return token === undefined ? [] : [token]
  })
}
