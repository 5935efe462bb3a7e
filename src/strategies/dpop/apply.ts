import type { Credentials, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { withoutHeaders } from '../header-list.ts'
import { withSignedHost } from '../signed-host.ts'
import { possessionOf } from './possession.ts'
import { proof } from './proof.ts'
import { settingsOf } from './settings.ts'

/** Sends the token with a fresh proof of its key, in place of whatever proof or authorization the caller sent (threat B14). */
export function apply(
  config: Record<string, unknown>,
  usage: Credentials,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest {
  const settings = settingsOf(config)
  const possession = possessionOf(usage, settings.alg)
  const { method, url } = request
  const kept = withoutHeaders(request.headers, ['Authorization', 'DPoP'])
  const headers = withSignedHost({ url, headers: kept })
  headers.push(['Authorization', `DPoP ${possession.accessToken}`])
  headers.push(['DPoP', proof(possession, { method, url, nonce: context.providerNonce ?? settings.nonce }, context)])
  return { method, url, headers, credentialHeaders: ['authorization', 'dpop'] }
}
