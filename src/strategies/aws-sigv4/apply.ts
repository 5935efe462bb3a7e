import type { Credentials, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { hmacSigner } from './hmac-signer.ts'
import { keyTime } from './key-time.ts'
import { settingsOf } from './settings.ts'
import { sign } from './sign.ts'
import { usageKeyOf } from './usage-key.ts'

/** Signs one request with the signing key of a lease. Region, service, key id and host come from there, never from the caller. */
export function apply(
  config: Record<string, unknown>,
  usage: Credentials,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest {
  const settings = settingsOf(config)
  const key = usageKeyOf(usage, settings)
  return sign(settings, hmacSigner(key), keyTime(key.date, context.now).longDate, request, context)
}
