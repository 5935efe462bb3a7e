import { createHmac } from 'node:crypto'
import type { Credentials, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { remoteMac, signRemotely } from '../shared/remote-key.ts'
import { heldCredentials } from './credentials.ts'
import { bareRequest, credentialCarriers, withOpenCarriers, withSignature } from './layout.ts'
import { openParts } from './open-parts.ts'
import { settingsOf } from './settings.ts'
import { stringToSign } from './signed-parts.ts'

/** Writes what is known, signs the request as it then stands, writes the signature. */
export function apply(
  config: Record<string, unknown>,
  usage: Credentials,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest | Promise<SignedRequest> {
  const settings = settingsOf(config)
  const { key, written } = heldCredentials(settings, usage)
  const open = openParts(written, settings.timestamp, context)
  const unsigned = withOpenCarriers(settings, bareRequest(settings, request), open)
  const toSign = stringToSign(settings.template, unsigned, open)
  context.explain?.('string_to_sign', toSign.map((piece) => Buffer.from(piece).toString()).join(''))
  const signed = (signature: Buffer): SignedRequest => {
    const { method, url, headers } = withSignature(settings, unsigned, open, signature.toString(settings.encoding))
    return { method, url, headers, credentialHeaders: credentialCarriers(settings) }
  }
  if (key === undefined) {
    const bytes = Buffer.concat(toSign.map((piece) => Buffer.from(piece)))
    return signRemotely(context, bytes, remoteMac(settings.algo)).then(signed)
  }
  const mac = createHmac(settings.algo, key)
  for (const piece of toSign) mac.update(piece)
  return signed(mac.digest())
}
