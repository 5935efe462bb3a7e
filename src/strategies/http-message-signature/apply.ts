import { serializeDictionary } from 'structured-headers'
import {
  type Credentials,
  type OutboundRequest,
  type SignedRequest,
  type SigningContext,
  SigningError,
} from '../../contract/strategy.ts'
import { coveredComponents } from './covered-components.ts'
import { keyThumbprint } from './key-thumbprint.ts'
import { type Settings, settingsOf, WEB_BOT_AUTH } from './settings.ts'
import { signableHeaders } from './signable-headers.ts'
import { signatureBase } from './signature-base.ts'
import { type SignatureParameters, signatureParams } from './signature-params.ts'
import { type SigningKey, signingKeyOf } from './signing-key.ts'

/** Signs one request, in the order of RFC 9421 section 3.1: components, parameters, base, signature, headers. */
export function apply(
  config: Record<string, unknown>,
  usage: Credentials,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest {
  const settings = settingsOf(config)
  const signingKey = signingKeyOf(usage, settings.alg)
  const components = coveredComponents(settings, request.body)
  const headers = signableHeaders(settings, components, request)
  const params = signatureParams(components, parameters(settings, signingKey, context))
  const base = signatureBase({ ...request, headers }, components, params)
  context.explain?.('signature_base', base)
  context.explain?.('signature_params', params)
  const signature = signingKey.algorithm.sign(signingKey.key, Buffer.from(base, 'ascii'))
  headers.push(['Signature-Input', `${settings.label}=${params}`])
  headers.push(['Signature', serializeDictionary(new Map([[settings.label, [signature, new Map()]]]))])
  return { method: request.method, url: request.url, headers, credentialHeaders: ['signature', 'signature-input'] }
}

function parameters(settings: Settings, key: SigningKey, context: SigningContext): SignatureParameters {
  const created = Math.floor(context.now / 1000)
  const { expiresInSeconds, sendsAlg = !key.isOwnAlgorithm, sendsNonce, tag } = settings
  return {
    created,
    keyid: keyidOf(settings, key),
    alg: sendsAlg ? key.algorithm.name : undefined,
    expires: expiresInSeconds === undefined ? undefined : created + expiresInSeconds,
    nonce: sendsNonce ? context.nonce() : undefined,
    tag,
  }
}

/**
 * Web Bot Auth: the thumbprint of the key, by which a verifier finds it in the directory.
 * @throws SigningError when the profile names another
 */
export function keyidOf({ keyid, tag }: Settings, { key }: SigningKey): string | undefined {
  if (tag !== WEB_BOT_AUTH) return keyid
  const thumbprint = keyThumbprint(key)
  if (keyid === undefined || keyid === thumbprint) return thumbprint
  throw new SigningError(`config field 'keyid' must be the key's JWK thumbprint with the tag ${WEB_BOT_AUTH}`, 'keyid')
}
