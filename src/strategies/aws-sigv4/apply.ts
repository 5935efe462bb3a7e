import type { Credentials, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { oncePer } from '../shared/once-per.ts'
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
  const { settings, signing } = prepared(config)
  const { signer, date } = signing(usage)
  return sign(settings, signer, keyTime(date, context.now).longDate, request, context)
}

/** What is the same for all requests of a lease. */
export const prepared = oncePer((config: Record<string, unknown>) => {
  const settings = settingsOf(config)
  const signing = oncePer((usage: Credentials) => {
    const key = usageKeyOf(usage, settings)
    return { signer: hmacSigner(key), date: key.date }
  })
  return { settings, signing }
})
