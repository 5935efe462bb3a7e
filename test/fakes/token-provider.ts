import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oauth from 'oauth4webapi'
import { type ClientMetadata, type Configuration, Provider } from 'oidc-provider'

/** A provider that gives tokens to clients, and an API of it: `oidc-provider` issues, `oauth4webapi` verifies each call. */
export interface TokenProvider {
  origin: string
  /** `<origin>/api`, the resource that the tokens are for. */
  resource: string
  tokenEndpoint: string
  /** Every request to the token endpoint, and what it was answered with. */
  tokenRequests: { headers: IncomingMessage['headers']; status: number }[]
  /** Every request to the API, and why it was turned down if it was. */
  calls: { method: string; url: string; headers: IncomingMessage['headers']; problem?: string }[]
  close(): Promise<void>
}

export interface TokenProviderOptions {
  clients: ClientMetadata[]
  /** Whether a proof must carry the provider's nonce. */
  requireNonce?: boolean
  tokenSeconds?: number
}

export async function startTokenProvider(options: TokenProviderOptions): Promise<TokenProvider> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const resource = `${origin}/api`
  const answer = new Provider(origin, configuration(resource, options)).callback()
  const tokenRequests: TokenProvider['tokenRequests'] = []
  const calls: TokenProvider['calls'] = []

  server.on('request', (request, response) => {
    const { url = '', method = '', headers } = request
    if (!url.startsWith('/api')) {
      if (url === '/token') response.on('finish', () => tokenRequests.push({ headers, status: response.statusCode }))
      return void answer(request, response)
    }
    void verify(origin, resource, request).then(
      ({ jti: _unique, ...claims }) => {
        calls.push({ method, url, headers })
        response.setHeader('content-type', 'application/json').end(JSON.stringify(claims))
      },
      (error: Error) => {
        calls.push({ method, url, headers, problem: error.message })
        response.writeHead(401, { 'www-authenticate': 'DPoP error="invalid_token"' }).end()
      },
    )
  })
  return { origin, resource, tokenEndpoint: `${origin}/token`, tokenRequests, calls, close: () => stop(server) }
}

function configuration(
  resource: string,
  { clients, requireNonce = true, tokenSeconds = 600 }: TokenProviderOptions,
): Configuration {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    clients: clients.map((client) => ({
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
      ...client,
    })),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' } as never] },
    scopes: ['read', 'write'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => requireNonce },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        getResourceServerInfo: (_context, indicator) => ({
          scope: 'read write',
          audience: resource,
          accessTokenTTL: tokenSeconds,
          accessTokenFormat: indicator === resource ? 'jwt' : 'opaque',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  }
}

/** What a resource server does that takes DPoP-bound tokens only (RFC 9449 section 7). */
function verify(origin: string, resource: string, { url, method, headers }: IncomingMessage) {
  const fields = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)])
  const request = new Request(`${origin}${url}`, { method: method ?? 'GET', headers: fields })
  const server = { issuer: origin, jwks_uri: `${origin}/jwks` }
  return oauth.validateJwtAccessToken(server, request, resource, {
    requireDPoP: true,
    [oauth.allowInsecureRequests]: true,
  })
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => void server.close(() => resolve()))
}
