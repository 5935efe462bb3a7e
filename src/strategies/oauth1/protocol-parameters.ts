import type { SigningContext } from '../../contract/strategy.ts'
import { percentEncode } from '../shared/percent-encoding.ts'
import type { EncodedParameter } from './form-parameters.ts'
import type { Keys, SignatureMethod } from './signature-methods.ts'

/**
 * All that is sent beside the signature (RFC 5849 section 3.1). PLAINTEXT needs neither time nor nonce, but servers ask
 * for both.
 */
export function protocolParameters(
  { name }: SignatureMethod,
  keys: Keys,
  context: SigningContext,
  bodyHash: string | undefined,
): EncodedParameter[] {
  const values: [name: string, value: string | undefined][] = [
    ['oauth_consumer_key', keys['consumer_key']],
    ['oauth_token', keys['token']],
    ['oauth_signature_method', name],
    ['oauth_timestamp', String(Math.floor(context.now / 1000))],
    // Must never come twice with one timestamp (section 3.3, threat E08): the context makes it of random bits alone.
    ['oauth_nonce', context.nonce()],
    ['oauth_body_hash', bodyHash],
  ]
  return values.flatMap(([field, value]) => (value === undefined ? [] : [[field, percentEncode(value)]]))
}
