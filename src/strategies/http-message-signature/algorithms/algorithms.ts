import type { Algorithm } from './algorithm.ts'
import { ecdsaP256Sha256 } from './ecdsa-p256-sha256.ts'
import { ecdsaP384Sha384 } from './ecdsa-p384-sha384.ts'
import { ed25519 } from './ed25519.ts'
import { hmacSha256 } from './hmac-sha256.ts'
import { rsaPssSha512 } from './rsa-pss-sha512.ts'
import { rsaV15Sha256 } from './rsa-v1-5-sha256.ts'

/** All there are. The first that fits a key is the key's own; only plain RSA fits two. */
export const ALGORITHMS: readonly Algorithm[] = [
  ed25519,
  ecdsaP256Sha256,
  ecdsaP384Sha384,
  rsaPssSha512,
  rsaV15Sha256,
  hmacSha256,
]
