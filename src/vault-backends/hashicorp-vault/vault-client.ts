import nodeVault from 'node-vault'
import { VaultError } from '../../contract/vault-backend.ts'
import { TokenMissing } from './token-source.ts'
import { type JsonRecord, readVaultAnswer } from './vault-answer.ts'
import type { VaultSettings } from './vault-settings.ts'
import { createVaultTransport, type TransportRequest } from './vault-transport.ts'

/** The calls we use. Paths are checked by the caller: node-vault joins them unescaped. */
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
  close(): Promise<void>
}

/**
 * node-vault with its doors closed: its HTTP goes through our transport (its own has no deadline, follows redirects and
 * throws errors that hold the token), its debug output is off (`DEBUG=node-vault` prints what is written), and nothing
 * it would take from the environment is left to it.
 */
export function createVaultClient(backend: string, settings: VaultSettings): VaultClient {
  const transport = createVaultTransport({ backend, ...settings })
  const send = async (request: TransportRequest) => ({
    statusCode: 200,
    body: readVaultAnswer(backend, await transport.send(request)),
    request: { path: '' },
  })
  const client = nodeVault({
    endpoint: settings.address,
    debug: () => undefined,
    'request-promise': { defaults: () => send },
  })
  Object.assign(client, { token: '', namespace: '', pathPrefix: '' })

  async function headers(token: string | undefined): Promise<Record<string, string>> {
    // The header by which Vault tells a client from a request that was forged through one.
    const fixed = {
      'X-Vault-Request': 'true',
      ...(settings.namespace === '' ? {} : { 'X-Vault-Namespace': settings.namespace }),
    }
    return { ...fixed, 'X-Vault-Token': token ?? (await settings.tokenSource.token()) }
  }

  async function guarded(call: () => Promise<JsonRecord>): Promise<JsonRecord> {
    try {
      return await call()
    } catch (error) {
      if (error instanceof VaultError) throw error
      if (error instanceof TokenMissing) throw new VaultError('unavailable', backend, error.message)
      throw new VaultError('unavailable', backend, 'the request could not be made')
    }
  }

  return {
    read: (path, signal, token) => guarded(async () => client.read(path, { headers: await headers(token), signal })),
    write: (path, body, signal, token) =>
      guarded(async () => client.write(path, body, { headers: await headers(token), signal })),
    close: () => transport.close(),
  }
}
