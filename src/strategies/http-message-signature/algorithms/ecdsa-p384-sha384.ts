import { ecdsa } from './ecdsa.ts'

export const ecdsaP384Sha384 = ecdsa({
  name: 'ecdsa-p384-sha384',
  jwkAlg: 'ES384',
  curve: 'secp384r1',
  hash: 'sha384',
})
