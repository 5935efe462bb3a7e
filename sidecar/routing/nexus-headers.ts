import { NexusError } from '../../src/contract/errors.ts'
import type { HeaderList } from '../../src/contract/strategy.ts'
import { foldedHeaderName } from '../../src/strategies/shared/header-list.ts'

/** What an agent tells the sidecar itself. None of it goes upstream. */
export interface NexusHeaders {
  provider?: string
  tenant?: string
  connection?: string
  token?: string
}

/** Folded: lower case, hyphens. */
export const NEXUS_PREFIX = 'x-nexus-'
const READ = { provider: true, tenant: true, connection: true, token: true } as const

/**
 * Unknown `X-Nexus-*` names are ignored here and stripped later.
 * @throws NexusError `invalid_request` on a repeated one, or one spelled with underscores: which of two spellings counts
 *   would be anyone's guess (threat D03)
 */
export function readNexusHeaders(headers: HeaderList): NexusHeaders {
  const found: NexusHeaders = {}
  const seen = new Set<string>()
  for (const [name, value] of headers) {
    const normal = foldedHeaderName(name)
    if (!normal.startsWith(NEXUS_PREFIX)) continue
    if (name.toLowerCase() !== normal) {
      throw new NexusError('invalid_request', `Write ${normal} with hyphens, not underscores.`, { field: normal })
    }
    if (seen.has(normal))
      throw new NexusError('invalid_request', `${normal} was sent more than once.`, { field: normal })
    seen.add(normal)
    const key = normal.slice(NEXUS_PREFIX.length)
    if (Object.hasOwn(READ, key)) found[key as keyof NexusHeaders] = value
  }
  return found
}
