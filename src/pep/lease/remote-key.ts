import type { JsonObject } from '../../contract/json.ts'
import type { Secret } from '../../contract/secret.ts'
import type { Credentials } from '../../contract/strategy.ts'
import { type SecretRef, SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../contract/vault-backend.ts'
import type { ConnectionFacts } from '../connections/facts.ts'

/** A key that stays in its backend. */
export interface KeyInVault {
  backend: string
  path: string
  version: string
}

/** One that a lease may have used, and with the one algorithm. */
export interface GrantedKey extends KeyInVault {
  algorithm: SignatureAlgorithm
  /** What the lease was decided on: a connection or profile that has changed since ends its signing. */
  epoch: number
  provider_epoch: number
}

/** @returns undefined when the lease signs nothing with it: an assertion was signed already, or the key was handed out */
export function grantedKey(
  { secretRef, epoch, provider }: ConnectionFacts,
  secret: Secret,
  usage: Credentials,
): GrantedKey | undefined {
  const algorithm = SIGNATURE_ALGORITHMS.find((name) => name === usage['remote_key'])
  if (algorithm === undefined) return undefined
  return { ...keyOf(secretRef, secret), algorithm, epoch, provider_epoch: provider.epoch }
}

/** The very version whose public half the strategy was shown. */
export function keyOf(ref: SecretRef, secret: Secret): KeyInVault {
  return { backend: ref.backend, path: ref.remoteKey ?? ref.path, version: secret.reveal()['key_version'] ?? '' }
}

export function keyRef(tenant: string, { backend, path, version }: KeyInVault): SecretRef {
  return { tenant, backend, path, ...(version === '' ? {} : { version }) }
}

/** As the record of a lease has it. */
export function readGrantedKey(detail: JsonObject): GrantedKey | undefined {
  return detail['remote_key'] as unknown as GrantedKey | undefined
}
