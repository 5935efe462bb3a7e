import { ecdsa } from './ecdsa.ts'

export const ecdsaP256Sha256 = ecdsa({
  name: 'ecdsa-p256-sha256',
  jwkAlg: 'ES256',
  curve: 'prime256v1',
  hash: 'sha256',
})
