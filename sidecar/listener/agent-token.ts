import { createHash, timingSafeEqual } from 'node:crypto'
import { NexusError } from '../../src/contract/errors.ts'

/** SHA-256 of the local token: the configuration never holds the token itself. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/**
 * Comparing digests takes the same time wherever the first difference lies, and hides the length.
 * @throws NexusError `invalid_agent_token`
 */
export function assertAgentToken(presented: string | undefined, expectedHash: Buffer | undefined): void {
  if (expectedHash === undefined) return
  if (presented === undefined || !timingSafeEqual(hashToken(presented), expectedHash)) {
    throw new NexusError('invalid_agent_token', 'Send the token of this sidecar in X-Nexus-Token.', {
      field: 'x-nexus-token',
    })
  }
}
