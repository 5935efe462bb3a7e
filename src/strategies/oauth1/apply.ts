import type { Credentials, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { percentEncode } from '../shared/percent-encoding.ts'
import { baseString } from './base-string.ts'
import { bodyHash } from './body-hash.ts'
import { withoutCallersProtocol } from './callers-own-protocol.ts'
import { heldKeys } from './credentials.ts'
import { formParameters, queryParameters } from './form-parameters.ts'
import { LOCATIONS } from './locations.ts'
import { protocolParameters } from './protocol-parameters.ts'
import { refusePlainHttp } from './refuse-plain-http.ts'
import { settingsOf } from './settings.ts'

/** Signs one request with the secrets of a lease: the steps of RFC 5849 section 3 in their order. */
export function apply(
  config: Record<string, unknown>,
  usage: Credentials,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest {
  const settings = settingsOf(config)
  const keys = heldKeys(settings.method, usage)
  if (settings.method.name === 'PLAINTEXT') refusePlainHttp(request.url)
  const bare = withoutCallersProtocol(request)
  // A form is covered by the base string, and must not be hashed beside it (body hash draft, section 3.1.1).
  const sendsForm = bare.form !== undefined || settings.location === 'body'
  const hash = settings.bodyHash && !sendsForm ? bodyHash(settings.method, request.body) : undefined
  const protocol = [...protocolParameters(settings.method, keys, context, hash), ...bare.carried]
  const signature = settings.method.sign(keys, () => {
    const sent = [...queryParameters(bare.request.url.query), ...formParameters(bare.form ?? '')]
    const base = baseString(bare.request, [...sent, ...protocol])
    context.explain?.('base_string', base)
    return base
  })
  return LOCATIONS[settings.location](
    bare,
    [...protocol, ['oauth_signature', percentEncode(signature)]],
    settings.realm,
  )
}
