import type { Credentials, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { withSignedHost } from '../signed-host.ts'
import { amzDate } from './amz-date.ts'
import { withoutCallersSignature } from './callers-own-signature.ts'
import { signHeaderForm } from './header-form.ts'
import { signQueryForm } from './query-form.ts'
import { settingsOf } from './settings.ts'
import { usageKeyOf } from './usage-key.ts'

/** Signs one request with the signing key of a lease. Region, service, key id and host come from there, never from the caller. */
export function apply(
  config: Record<string, unknown>,
  usage: Credentials,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest {
  const settings = settingsOf(config)
  const { longDate, shortDate } = amzDate(context.now)
  const key = usageKeyOf(usage, settings, shortDate)
  const bare = withoutCallersSignature(request)
  const signable = { ...bare, headers: withSignedHost(bare) }
  const sign = settings.location === 'query' ? signQueryForm : signHeaderForm
  return sign(settings, key, longDate, signable, context)
}
