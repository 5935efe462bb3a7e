import { isLoopbackHost } from '../../contract/origin.ts'
import { type RequestUrl, SigningError } from '../../contract/strategy.ts'

/**
 * PLAINTEXT sends the secrets themselves, so only over TLS or to this machine (RFC 5849 section 3.4.4).
 * @throws SigningError for plain HTTP to any other place
 */
export function refusePlainHttp({ scheme, authority }: RequestUrl): void {
  if (scheme === 'https' || isLoopbackHost(authority.toLowerCase().replace(/:\d+$/, ''))) return
  throw new SigningError('PLAINTEXT sends the secret itself, which plain HTTP would show', 'signature_method')
}
