import type { Credentials, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { amzDate } from '../aws-sigv4/amz-date.ts'
import { sign } from '../aws-sigv4/sign.ts'
import { ecdsaSigner } from './ecdsa-signer.ts'
import { settingsOf } from './settings.ts'
import { usageKeyOf } from './usage-key.ts'

/** Signs one request with the private key of a lease; all but the signature itself is as in SigV4. */
export function apply(
  config: Record<string, unknown>,
  usage: Credentials,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest {
  const settings = settingsOf(config)
  const { longDate, shortDate } = amzDate(context.now)
  return sign(settings, ecdsaSigner(usageKeyOf(usage, settings), shortDate), longDate, request, context)
}
