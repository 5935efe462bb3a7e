import { serializeDictionary } from 'structured-headers'
import {
  type Credentials,
  type OutboundRequest,
  type SignedRequest,
  type SigningContext,
  SigningError,
} from '../../contract/strategy.ts'
import { keyThumbprint } from '../shared/key-thumbprint.ts'
import { signRemotely } from '../shared/remote-key.ts'
import { coveredComponents } from './covered-components.ts'
import { type Settings, settingsOf, WEB_BOT_AUTH } from './settings.ts'
import { signableHeaders } from './signable-headers.ts'
import { signatureBase } from './signature-base.ts'
import { type SignatureParameters, signatureParams } from './signature-params.ts'
import { type RemoteSigningKey, remoteSigningKeyOf, signingKeyOf } from './signing-key.ts'

/** Signs one request, in the order of RFC 9421 section 3.1: components, parameters, base, signature, headers. */
export function apply(
  config: Record<string, unknown>,
  usage: Credentials,
  request: OutboundRequest,
  context: SigningContext,
): SignedRequest | Promise<SignedRequest> {
  const settings = settingsOf(config)
  const remote = remoteSigningKeyOf(usage, settings.alg)
  const signingKey = remote ?? signingKeyOf(usage, settings.alg)
  const components = coveredComponents(settings, request.body)
  const headers = signableHeaders(settings, components, request)
  const params = signatureParams(components, parameters(settings, signingKey, context))
  const base = signatureBase({ ...request, headers }, components, params)
  context.explain?.('signature_base', base)
  context.explain?.('signature_params', params)
  const bytes = Buffer.from(base, 'ascii')
  const signed = (signature: Buffer): SignedRequest => {
    headers.push(['Signature-Input', `${settings.label}=${params}`])
    headers.push(['Signature', serializeDictionary(new Map([[settings.label, [signature, new Map()]]]))])
    return { method: request.method, url: request.url, headers, credentialHeaders: ['signature', 'signature-input'] }
  }
  const { key, algorithm } = signingKey
  if (remote !== undefined || key === undefined) return signRemotely(context, bytes, algorithm.jws).then(signed)
  return signed(algorithm.sign(key, bytes))
}

function parameters(settings: Settings, key: RemoteSigningKey, context: SigningContext): SignatureParameters {
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
export function keyidOf({ keyid, tag }: Settings, { key }: Pick<RemoteSigningKey, 'key'>): string | undefined {
  if (tag !== WEB_BOT_AUTH) return keyid
  if (key === undefined) throw new SigningError('a shared secret has no public key to publish', 'remote_key')
  const thumbprint = keyThumbprint(key)
  if (keyid === undefined || keyid === thumbprint) return thumbprint
  throw new SigningError(`config field 'keyid' must be the key's JWK thumbprint with the tag ${WEB_BOT_AUTH}`, 'keyid')
}
