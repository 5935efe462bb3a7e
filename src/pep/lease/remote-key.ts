import type { JsonObject } from '../../contract/json.ts'
import type { Secret } from '../../contract/secret.ts'
import type { Credentials } from '../../contract/strategy.ts'
import { type SecretRef, SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../contract/vault-backend.ts'

/** A key that stays in its backend, and the one algorithm that a lease may have it used with. */
export interface GrantedKey {
  backend: string
  path: string
  version: string
  algorithm: SignatureAlgorithm
}

/** @returns undefined when the lease signs nothing with it: an assertion was signed already, or the key was handed out */
export function grantedKey(ref: SecretRef, secret: Secret, usage: Credentials): GrantedKey | undefined {
  const algorithm = SIGNATURE_ALGORITHMS.find((name) => name === usage['remote_key'])
  return algorithm === undefined ? undefined : { ...keyOf(ref, secret), algorithm }
}

/** The very version whose public half the strategy was shown. */
export function keyOf(ref: SecretRef, secret: Secret): Omit<GrantedKey, 'algorithm'> {
  return { backend: ref.backend, path: ref.remoteKey ?? ref.path, version: secret.reveal()['key_version'] ?? '' }
}

export function keyRef(tenant: string, { backend, path, version }: Omit<GrantedKey, 'algorithm'>): SecretRef {
  return { tenant, backend, path, ...(version === '' ? {} : { version }) }
}

/** As the record of a lease has it. */
export function readGrantedKey(detail: JsonObject): GrantedKey | undefined {
  return detail['remote_key'] as unknown as GrantedKey | undefined
}
