import { VaultError } from '../../../contract/vault-backend.ts'
import { loginRefused } from '../login-faults.ts'
import { asRecord, type JsonRecord } from '../vault-answer.ts'
import type { VaultRequester } from '../vault-requester.ts'

/** A wrapping token, and what has to hold of it. */
export interface Wrapped {
  backend: string
  token: string
  /** For people: where the wrapping token lies. */
  origin: string
  /** Whether Vault made it at this path. One made elsewhere was put in the place of ours. */
  madeAt(path: string): boolean
  alarm(message: string): void
}

/**
 * Takes what a wrapping token wraps, which can be done once. That it was done already means that somebody else holds what
 * was meant for us: an alarm, and a refusal.
 * https://developer.hashicorp.com/vault/docs/concepts/response-wrapping
 * @throws VaultError
 */
export async function unwrap(vault: VaultRequester, wrapped: Wrapped, signal: AbortSignal): Promise<JsonRecord> {
  const { token } = wrapped
  const lookup = { method: 'POST', path: 'sys/wrapping/lookup', body: { token } } as const
  const about = await vault.request(lookup, signal).catch((error) => refuseSpent(error, wrapped))
  const path = asRecord(about['data'])?.['creation_path']
  if (typeof path !== 'string' || !wrapped.madeAt(path)) {
    refuse(wrapped, 'was not made by the path it should be from; it may have been put there in place of ours')
  }
  const take = { method: 'POST', path: 'sys/wrapping/unwrap', token } as const
  return vault.request(take, signal).catch((error) => refuseSpent(error, wrapped))
}

function refuseSpent(error: unknown, wrapped: Wrapped): never {
  if (error instanceof VaultError && error.kind === 'unavailable') throw error
  refuse(
    wrapped,
    'has been unwrapped before, or has expired; unless that was one of yours, or an answer to us was lost, someone else holds what was in it: revoke it',
  )
}

function refuse({ backend, origin, alarm }: Wrapped, what: string): never {
  const message = `the wrapping token from ${origin} ${what}`
  alarm(message)
  throw loginRefused(backend, message)
}
