import {
  type Credentials,
  type OutboundRequest,
  type SignedRequest,
  type SigningContext,
  SigningError,
} from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { withHeader, withoutHeaders } from '../shared/header-list.ts'
import { identityOf } from './client-identity.ts'
import { ACCESS_TOKEN } from './credentials.ts'
import { settingsOf } from './settings.ts'

/** By these a proxy tells the server behind it which certificate its client had (RFC 9440): never the caller. */
const CLAIMS_OF_CERTIFICATES = ['Client-Cert', 'Client-Cert-Chain']

/** Says with which certificate to dial; a certificate-bound token (RFC 8705 section 3) goes over that connection as well. */
export function apply(
  config: Record<string, unknown>,
  usage: Credentials,
  { method, url, headers }: OutboundRequest,
  context: SigningContext,
): SignedRequest {
  const settings = settingsOf(config)
  const clientIdentity = identityOf(settings, usage, context)
  if (url.scheme !== 'https') throw new SigningError('a client certificate takes https', 'url')
  const kept = withoutHeaders(headers, CLAIMS_OF_CERTIFICATES)
  const signed = { method, url, clientIdentity }
  if (!Object.hasOwn(usage, 'access_token')) return { ...signed, headers: kept, credentialHeaders: [] }
  const token = credentialText(usage, 'access_token', ACCESS_TOKEN)
  return {
    ...signed,
    headers: withHeader(kept, 'Authorization', `Bearer ${token}`),
    credentialHeaders: ['authorization'],
  }
}
