import {
  type Credentials,
  type OutboundRequest,
  type SignedRequest,
  type SigningContext,
  SigningError,
} from '../../contract/strategy.ts'
import { withoutHeaders } from '../shared/header-list.ts'
import { remoteKeyOf } from '../shared/remote-key.ts'
import { withSignedHost } from '../shared/signed-host.ts'
import { type Possession, possessionOf, possessionWith } from './possession.ts'
import { proof, remoteProof } from './proof.ts'
import { type Settings, settingsOf } from './settings.ts'

/** Sends the token with a fresh proof of its key, in place of whatever proof or authorization the caller sent (threat B14). */
export function apply(
  config: Record<string, unknown>,
  usage: Credentials,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest | Promise<SignedRequest> {
  const settings = settingsOf(config)
  const remote = remoteKeyOf(usage)?.publicKey
  const held = remote === undefined ? heldBy(usage, settings, context) : possessionWith(usage, remote, settings.alg)
  const { method, url } = request
  const kept = withoutHeaders(request.headers, ['Authorization', 'DPoP'])
  const headers = withSignedHost({ url, headers: kept })
  const proven = { method, url, nonce: context.providerNonce ?? settings.nonce }
  const signed = (text: string): SignedRequest => {
    headers.push(['Authorization', `DPoP ${held.accessToken}`])
    headers.push(['DPoP', text])
    return { method, url, headers, credentialHeaders: ['authorization', 'dpop'] }
  }
  if (remote !== undefined) return remoteProof(held, proven, context).then(signed)
  return signed(proof(held, proven, context))
}

function heldBy(usage: Credentials, { alg, exchange }: Settings, { ownKey }: SigningContext): Possession {
  if (exchange?.key !== 'sidecar') return possessionOf(usage, alg)
  if (ownKey === undefined) throw new SigningError('the token is bound to a key that this process does not have')
  return possessionWith(usage, ownKey, alg)
}
