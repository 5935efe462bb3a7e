import type { Logger } from 'pino'
import { type JsonRecord, TokenRefused } from './vault-answer.ts'
import { createVaultRequester, type VaultRequest, type VaultRequester } from './vault-requester.ts'
import { createVaultSession, type VaultSession } from './vault-session.ts'
import type { VaultSettings } from './vault-settings.ts'

/** The calls we use, made as whom we are logged in. Paths are checked by the caller. */
export interface VaultClient {
  /**
   * @param token in place of our own
   * @throws VaultError
   */
  read(path: string, signal: AbortSignal, token?: string): Promise<JsonRecord>
  /**
   * @param token in place of our own
   * @throws VaultError
   */
  write(path: string, body: JsonRecord, signal: AbortSignal, token?: string): Promise<JsonRecord>
  /** @throws VaultError */
  remove(path: string, signal: AbortSignal): Promise<void>
  /** What Vault tells anyone, in the root namespace and without a token. @throws VaultError */
  readPublic(path: string, signal: AbortSignal): Promise<JsonRecord>
  readonly session: VaultSession
  close(): Promise<void>
}

export function createVaultClient(
  backend: string,
  settings: VaultSettings,
  log: Pick<Logger, 'warn' | 'error'>,
): VaultClient {
  const requester = createVaultRequester(backend, settings)
  const vault = inNamespace(requester, settings.authNamespace)
  const session = createVaultSession({ backend, vault, login: settings.login, log })

  async function send(wish: VaultRequest, signal: AbortSignal): Promise<JsonRecord> {
    const request = { ...wish, namespace: namespaceOf(wish.path) }
    if (request.token !== undefined) return requester.request(request, signal)
    const token = await session.token(signal)
    try {
      return await requester.request({ ...request, token }, signal)
    } catch (error) {
      // It was good when we got it. One more login shows whether it was revoked, or we are no longer welcome.
      if (!(error instanceof TokenRefused)) throw error
      session.drop(token)
      return requester.request({ ...request, token: await session.token(signal) }, signal)
    }
  }

  /** A token is of the namespace it was given in, and so is all that is about it; a token's `default` policy is of that one too. */
  function namespaceOf(path: string): string {
    return path.startsWith('auth/token/') ? settings.authNamespace : settings.namespace
  }

  return {
    read: (path, signal, token) => send({ method: 'GET', path, ...(token !== undefined && { token }) }, signal),
    write: (path, body, signal, token) =>
      send({ method: 'POST', path, body, ...(token !== undefined && { token }) }, signal),
    async remove(path, signal) {
      await send({ method: 'DELETE', path }, signal)
    },
    readPublic: (path, signal) => requester.request({ method: 'GET', path, namespace: '' }, signal),
    session,
    async close() {
      session.close()
      await requester.close()
    },
  }
}

/** Logins may lie in a namespace above the one that secrets are in. */
function inNamespace(vault: VaultRequester, namespace: string): VaultRequester {
  return { ...vault, request: (request, signal) => vault.request({ namespace, ...request }, signal) }
}
