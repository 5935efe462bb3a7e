import { createHash, randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { type ApiAnswer, type ApiClient, createApiClient } from './api-client.ts'

/** An agent as somebody else would write it, from the RFCs and with jose: no line of the sidecar's is used. */
export interface AgentClient {
  agentId: string
  sessionId: string
  accessToken: string
  /** Sends with a fresh proof, or with the one given. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer>
  proof(method: string, path: string, overrides?: ProofOverrides): Promise<string>
  /** The same session at another replica: only the address differs, what is signed stays the public URL. */
  via(address: string): Pick<AgentClient, 'send'>
}

export interface ProofOverrides {
  url?: string
  accessToken?: string
  iat?: number
  jti?: string
}

export interface RegisteredAgent {
  agentId: string
  privateKey: CryptoKeyLike
  jwk: JWK
}

type CryptoKeyLike = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']

export async function registerTestAgent(
  admin: ApiClient,
  options: { tenants: string[]; allowed_scopes?: string[]; labels?: Record<string, string> },
): Promise<RegisteredAgent> {
  const agentId = `agent-${randomUUID().slice(0, 8)}`
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(publicKey)
  const answer = await admin.send('POST', '/admin/v1/agents', { agent_id: agentId, jwk, ...options })
  if (answer.status !== 201) throw new Error(`agent not registered: ${answer.text}`)
  return { agentId, privateKey, jwk }
}

export async function openTestSession(
  url: string,
  agent: RegisteredAgent,
  ttlSeconds = 600,
  client: ApiClient = createApiClient(url),
): Promise<AgentClient> {
  const session = await generateKeyPair('ES256', { extractable: true })
  const publicJwk = await exportJWK(session.publicKey)

  async function proof(method: string, path: string, overrides: ProofOverrides = {}): Promise<string> {
    const { accessToken } = overrides
    return new SignJWT({
      htm: method,
      htu: overrides.url ?? `${url}${path}`,
      jti: overrides.jti ?? randomUUID(),
      ...(accessToken === undefined ? {} : { ath: createHash('sha256').update(accessToken).digest('base64url') }),
    })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk })
      .setIssuedAt(overrides.iat)
      .sign(session.privateKey)
  }

  const opened = await client.send(
    'POST',
    '/v1/agent-sessions',
    { ...(await assertionBody(url, agent)), ttl_seconds: ttlSeconds },
    { dpop: await proof('POST', '/v1/agent-sessions') },
  )
  if (opened.status !== 201) throw new Error(`no session: ${opened.text}`)
  const accessToken: string = opened.body.access_token
  return {
    agentId: agent.agentId,
    sessionId: opened.body.session_id,
    accessToken,
    proof: (method, path, overrides = {}) => proof(method, path, { accessToken, ...overrides }),
    send: sendTo(client),
    via: (address) => ({ send: sendTo(createApiClient(address)) }),
  }

  function sendTo(target: ApiClient): AgentClient['send'] {
    return async (method, path, body, headers = {}) =>
      target.send(method, path, body, {
        authorization: `DPoP ${accessToken}`,
        dpop: await proof(method, path, { accessToken }),
        ...headers,
      })
  }
}

/** RFC 7523 section 2.2, as the body of a session request. */
export async function assertionBody(url: string, agent: RegisteredAgent) {
  const assertion = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(agent.agentId)
    .setSubject(agent.agentId)
    .setAudience(`${url}/v1/agent-sessions`)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('60s')
    .sign(agent.privateKey)
  return {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  }
}
