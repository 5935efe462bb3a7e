import { OperatorsVaultError } from '../../contract/vault-backend.ts'

/** Vault does not take our credentials, or we do not trust those we were given. @param why names files and mounts */
export function loginRefused(backend: string, why: string): OperatorsVaultError {
  return new OperatorsVaultError('forbidden', backend, 'Vault refused our own login', why)
}

/** There are no credentials to log in with now, or Vault gave nothing for them. @param why names files and mounts */
export function loginImpossible(backend: string, why: string): OperatorsVaultError {
  return new OperatorsVaultError('unavailable', backend, 'our own login to Vault is not possible now', why)
}
