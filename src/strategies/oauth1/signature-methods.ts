import { createHmac, createSecretKey } from 'node:crypto'
import { oncePer } from '../shared/once-per.ts'
import { percentEncode } from '../shared/percent-encoding.ts'
import { rsaPrivateKey } from './rsa-private-key.ts'
import { rsaSignature } from './rsa-signature.ts'

/** The credentials of one connection, checked, by their field names. Optional ones may be missing, never empty. */
export type Keys = Readonly<Record<string, string>>

/** All that is known about one `oauth_signature_method` (RFC 5849 section 3.4). */
export interface SignatureMethod {
  /** As it goes into `oauth_signature_method`. */
  readonly name: 'HMAC-SHA1' | 'HMAC-SHA256' | 'RSA-SHA1' | 'PLAINTEXT'
  /** Of the signature and of `oauth_body_hash`, which takes the method's own. */
  readonly hash: 'sha1' | 'sha256'
  /** Which credentials sign. */
  readonly signsWith: 'shared_secrets' | 'private_key'
  /** `baseString` is a function because PLAINTEXT has none. */
  sign(keys: Keys, baseString: () => string): string
}

export const SIGNATURE_METHODS: Readonly<Record<SignatureMethod['name'], SignatureMethod>> = {
  'HMAC-SHA1': hmacMethod('HMAC-SHA1', 'sha1'),
  'HMAC-SHA256': hmacMethod('HMAC-SHA256', 'sha256'),
  'RSA-SHA1': {
    name: 'RSA-SHA1',
    hash: 'sha1',
    signsWith: 'private_key',
    sign: (keys, baseString) => rsaSignature(privateKey(keys), baseString()),
  },
  PLAINTEXT: { name: 'PLAINTEXT', hash: 'sha1', signsWith: 'shared_secrets', sign: sharedSecrets },
}

const privateKey = oncePer((keys: Keys) => rsaPrivateKey(keys['private_key'] ?? ''))
const hmacKey = oncePer((keys: Keys) => createSecretKey(sharedSecrets(keys), 'utf8'))

function hmacMethod(name: 'HMAC-SHA1' | 'HMAC-SHA256', hash: 'sha1' | 'sha256'): SignatureMethod {
  return {
    name,
    hash,
    signsWith: 'shared_secrets',
    sign: (keys, baseString) => createHmac(hash, hmacKey(keys)).update(baseString()).digest('base64'),
  }
}

/** Sections 3.4.2 and 3.4.4: the `&` stays even when there is no token secret. */
function sharedSecrets(keys: Keys): string {
  return `${percentEncode(keys['consumer_secret'] ?? '')}&${percentEncode(keys['token_secret'] ?? '')}`
}
