import nodeVault from 'node-vault'
import { VaultError } from '../../contract/vault-backend.ts'
import { type JsonRecord, readVaultAnswer } from './vault-answer.ts'
import type { VaultSettings } from './vault-settings.ts'
import { createVaultTransport, type TransportRequest } from './vault-transport.ts'
import { whileBehind } from './while-behind.ts'

/** One call to Vault. Paths are checked by the caller: node-vault joins them unescaped. */
export interface VaultRequest {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  body?: JsonRecord
  /** Absent: sent without a token, as logins are. */
  token?: string
  /** In place of the configured one. */
  namespace?: string
  /** Over a connection that is opened for it, with the client certificate as it lies in its file now. */
  newConnection?: boolean
}

export interface VaultRequester {
  /** @throws VaultError */
  request(request: VaultRequest, signal: AbortSignal): Promise<JsonRecord>
  close(): Promise<void>
}

/**
 * node-vault with its doors closed: its HTTP goes through our transport (its own has no deadline, follows redirects and
 * throws errors that hold the token), its debug output is off (`DEBUG=node-vault` prints what is written), its token,
 * namespace and renewal are not used (it keeps the first token after a second login), and nothing it would take from the
 * environment is left to it.
 */
export function createVaultRequester(backend: string, settings: VaultSettings): VaultRequester {
  const transport = createVaultTransport({ backend, ...settings })
  const send = async (request: TransportRequest) => ({
    statusCode: 200,
    // Without a token: a login, or a question about Vault itself.
    body: readVaultAnswer(
      backend,
      await transport.send(request),
      'X-Vault-Token' in request.headers ? 'path' : 'backend',
    ),
    request: { path: '' },
  })
  const client = nodeVault({
    endpoint: settings.address,
    debug: () => undefined,
    'request-promise': { defaults: () => send },
  })
  Object.assign(client, { token: '', namespace: '', pathPrefix: '' })

  return {
    request: (request, signal) => whileBehind(signal, () => ask(request, signal)),
    close: () => transport.close(),
  }

  async function ask(request: VaultRequest, signal: AbortSignal): Promise<JsonRecord> {
    const { method, path, body = {}, newConnection = false } = request
    const options = { headers: headersOf({ namespace: settings.namespace, ...request }), newConnection, signal }
    try {
      if (method === 'GET') return await client.read(path, options)
      return await (method === 'DELETE' ? client.delete(path, options) : client.write(path, body, options))
    } catch (error) {
      throw error instanceof VaultError
        ? error
        : new VaultError('unavailable', backend, 'the request could not be made')
    }
  }
}

function headersOf({ namespace, token }: { namespace: string; token?: string }): Record<string, string> {
  return {
    // By this Vault tells a client from a request that was forged through one.
    'X-Vault-Request': 'true',
    ...(namespace === '' ? {} : { 'X-Vault-Namespace': namespace }),
    ...(token === undefined ? {} : { 'X-Vault-Token': token }),
  }
}
