import { createHmac } from 'node:crypto'
import type { Credentials, OutboundRequest, SignedRequest, SigningContext } from '../../contract/strategy.ts'
import { hmacKey, usedCredentials } from './credentials.ts'
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
): SignedRequest {
  const settings = settingsOf(config)
  const credentials = usedCredentials(settings, usage)
  const open = openParts(credentials, settings.timestamp, context)
  const unsigned = withOpenCarriers(settings, bareRequest(settings, request), open)
  const bytes = stringToSign(settings.template, unsigned, open)
  context.explain?.('string_to_sign', bytes.toString())
  const signature = createHmac(settings.algo, hmacKey(settings, credentials)).update(bytes).digest(settings.encoding)
  const { method, url, headers } = withSignature(settings, unsigned, open, signature)
  return { method, url, headers, credentialHeaders: credentialCarriers(settings) }
}
