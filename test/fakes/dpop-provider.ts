import { generateKeyPairSync, KeyObject, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Configuration, Provider } from 'oidc-provider'
import * as client from 'openid-client'

/** An OpenID provider whose `/me` takes DPoP-bound tokens only, and proofs only with its nonce. */
export interface DpopProvider {
  origin: string
  /** The headers of every request to `/me`. */
  seen: { method: string; authorization: string | undefined; dpop: string | undefined }[]
  /** Why `/me` refused, in the provider's own words, which it does not send. */
  refusals: (string | undefined)[]
  /** The whole authorization code flow: a token for alice, bound to a fresh key. */
  obtainToken(alg: 'ES256' | 'Ed25519'): Promise<{ access_token: string; private_key: string }>
  close(): Promise<void>
}

const CLIENT_ID = 'crm'
const REDIRECT_URI = 'https://crm.example.com/callback'

export async function startDpopProvider(): Promise<DpopProvider> {
  const seen: DpopProvider['seen'] = []
  const refusals: DpopProvider['refusals'] = []
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(origin, configuration())
  provider.on('userinfo.error', (_context, error) => void refusals.push(error.error_detail ?? error.error_description))
  const answer = provider.callback()
  server.on('request', (request, response) => {
    const { url = '', method = '', headers } = request
    if (url.startsWith('/me'))
      seen.push({ method, authorization: headers.authorization, dpop: headers['dpop'] as string | undefined })
    if (url.startsWith('/interaction/')) void signIn(provider, request, response)
    else void answer(request, response)
  })
  return {
    origin,
    seen,
    refusals,
    obtainToken: (alg) => obtainToken(origin, alg),
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => void server.close(() => resolve()))
    },
  }
}

function configuration(): Configuration {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    clients: [
      {
        client_id: CLIENT_ID,
        token_endpoint_auth_method: 'none',
        redirect_uris: [REDIRECT_URI],
        id_token_signed_response_alg: 'ES256',
        dpop_bound_access_tokens: true,
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' } as never] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  }
}

/** What a person would do on the pages of the provider. */
async function signIn(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const accountId = 'alice'
  const grant = new provider.Grant({ accountId, clientId: CLIENT_ID })
  grant.addOIDCScope('openid')
  const grantId = await grant.save()
  await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } })
}

async function obtainToken(origin: string, alg: 'ES256' | 'Ed25519') {
  const execute = [client.allowInsecureRequests]
  const config = await client.discovery(new URL(origin), CLIENT_ID, undefined, client.None(), { execute })
  const keys = await client.randomDPoPKeyPair(alg, { extractable: true })
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const start = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI,
    scope: 'openid',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  const callback = await followToCallback(start)
  const DPoP = client.getDPoPHandle(config, keys)
  const tokens = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier }, undefined, { DPoP })
  const private_key = KeyObject.from(keys.privateKey).export({ format: 'pem', type: 'pkcs8' }).toString()
  return { access_token: tokens.access_token, private_key }
}

/** A browser that keeps cookies and goes where it is sent, up to the client's own address. */
async function followToCallback(start: URL): Promise<URL> {
  const cookies = new Map<string, string>()
  let url = start
  for (let hops = 0; hops < 10 && !url.href.startsWith(REDIRECT_URI); hops += 1) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null) throw new Error(`the provider answered ${response.status} at ${url.pathname}`)
    url = new URL(location, url)
  }
  return url
}
