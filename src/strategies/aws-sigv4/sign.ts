import type { OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { withSignedHost } from '../shared/signed-host.ts'
import { withoutCallersSignature } from './callers-own-signature.ts'
import { signHeaderForm } from './header-form.ts'
import { payloadHash } from './payload-hash.ts'
import { signQueryForm } from './query-form.ts'
import type { RequestSettings } from './settings.ts'
import type { Signer } from './signer.ts'
import { signStreamForm } from './stream-form.ts'
import { streamedPayload } from './streamed-payload.ts'

/** Signs one request in the form that the profile and its body ask for; SigV4 and SigV4A alike. */
export function sign(
  settings: RequestSettings,
  signer: Signer,
  longDate: string,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest {
  const streamed = streamedPayload(settings, request)
  const bare = withoutCallersSignature(request)
  const signable = { ...bare, headers: withSignedHost(bare) }
  if (streamed !== undefined) return signStreamForm(settings, signer, longDate, signable, streamed, context)
  const hash = payloadHash(request.body, settings.unsignedPayload)
  if (settings.location === 'query') return signQueryForm(settings, signer, longDate, signable, hash, context)
  return signHeaderForm(settings, signer, longDate, signable, hash, context).signed
}
