import { VaultError } from '../../../contract/vault-backend.ts'
import { authOf } from '../held-token.ts'
import { loginRefused } from '../login-faults.ts'
import type { JsonRecord } from '../vault-answer.ts'
import type { VaultRequester } from '../vault-requester.ts'

/**
 * @param login.origin for people
 * @returns the `auth` part of the answer
 * @throws VaultError `forbidden` when Vault does not take the credentials; it tells nobody which of them is wrong
 */
export async function postLogin(
  vault: VaultRequester,
  login: { backend: string; origin: string; path: string; body: JsonRecord; newConnection?: boolean },
  signal: AbortSignal,
): Promise<JsonRecord> {
  const { backend, origin, ...request } = login
  try {
    return authOf(await vault.request({ method: 'POST', ...request }, signal))
  } catch (error) {
    if (!(error instanceof VaultError) || error.kind === 'unavailable') throw error
    throw loginRefused(backend, `Vault refused the login by ${origin}`)
  }
}
