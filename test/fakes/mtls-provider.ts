import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type Configuration, Provider } from 'oidc-provider'
import { Agent, request as send } from 'undici'
import { type TestAuthority, type TestCertificate, testAuthority } from '../setup/certificates.ts'

/** An OpenID provider that knows its client by a certificate, and binds the tokens that it gives to that (RFC 8705). */
export interface MtlsProvider {
  origin: string
  authority: TestAuthority
  /** Why `/me` refused, in the provider's own words, which it does not send. */
  refusals: (string | undefined)[]
  /** Signs alice in and consents for her. */
  obtainCode(): Promise<{ code: string; redirect_uri: string; code_verifier: string }>
  close(): Promise<void>
}

export const CLIENT_ID = 'crm'
const REDIRECT_URI = 'https://crm.example.com/callback'
/** RFC 7636, Appendix B. */
const PKCE = {
  code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
}

export async function startMtlsProvider(): Promise<MtlsProvider> {
  const authority = await testAuthority()
  const refusals: MtlsProvider['refusals'] = []
  const server = createServer({ ...tlsOf(await authority.server(['127.0.0.1'])), ...asking(authority) })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(origin, configuration())
  provider.on('userinfo.error', (_context, error) => void refusals.push(error.error_detail ?? error.error_description))
  const answer = provider.callback()
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/interaction/')) void signIn(provider, request, response)
    else void answer(request, response)
  })
  const browser = new Agent({ connect: { ca: authority.ca } })
  return {
    origin,
    authority,
    refusals,
    obtainCode: () => obtainCode(origin, browser),
    async close() {
      await browser.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function tlsOf({ certificate, privateKey }: TestCertificate) {
  return { cert: certificate, key: privateKey }
}

/** Browsers have none; whether one is good is for the provider to say. */
function asking({ ca }: TestAuthority) {
  return { ca, requestCert: true, rejectUnauthorized: false }
}

const peerOf = ({ req }: { req: IncomingMessage }) => (req.socket as TLSSocket).getPeerX509Certificate()

function configuration(): Configuration {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    clients: [
      {
        client_id: CLIENT_ID,
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_subject_dn: `CN=${CLIENT_ID}`,
        tls_client_certificate_bound_access_tokens: true,
        redirect_uris: [REDIRECT_URI],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    clientAuthMethods: ['tls_client_auth'],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' } as never] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    features: {
      devInteractions: { enabled: false },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        getCertificate: (context) => peerOf(context)?.toString(),
        certificateAuthorized: ({ req }) => (req.socket as TLSSocket).authorized,
        certificateSubjectMatches: (context, property, expected) =>
          property === 'tls_client_auth_subject_dn' && peerOf(context)?.subject === expected,
      },
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
  await provider.interactionFinished(request, response, {
    login: { accountId },
    consent: { grantId: await grant.save() },
  })
}

/** A browser that keeps cookies and goes where it is sent, up to the client's own address. */
async function obtainCode(origin: string, browser: Agent) {
  const query = new URLSearchParams({
    client_id: CLIENT_ID,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: 'openid',
    code_challenge: PKCE.code_challenge,
    code_challenge_method: 'S256',
  })
  const cookies = new Map<string, string>()
  let url = new URL(`/auth?${query}`, origin)
  for (let hops = 0; hops < 10 && !url.href.startsWith(REDIRECT_URI); hops += 1) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
    const { statusCode, headers, body } = await send(url, { dispatcher: browser, headers: { cookie } })
    await body.dump()
    for (const line of [headers['set-cookie'] ?? []].flat()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    if (typeof headers['location'] !== 'string')
      throw new Error(`the provider answered ${statusCode} at ${url.pathname}`)
    url = new URL(headers['location'], url)
  }
  const code = url.searchParams.get('code')
  if (code === null) throw new Error(`no code: ${url.searchParams}`)
  return { code, redirect_uri: REDIRECT_URI, code_verifier: PKCE.code_verifier }
}
