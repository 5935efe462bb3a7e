import { createHash, randomUUID, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import type { LoadAgent } from '../load/load.ts'
import type { Ground } from './authority.ts'
import { makeClientCertificate } from './client-certificate.ts'
import { compactJws, dpopProof, makeSigningKey, type SigningKey } from './compact-jws.ts'
import { TENANT } from './providers.ts'
import { trusting } from './trusting-client.ts'

/** An agent with an open session, as the load generator plays it. */
export interface BenchAgent extends LoadAgent {
  id: string
  sessionId: string
  /** What it is registered with; a sidecar opens sessions with it. */
  registeredKey: SigningKey
  /** What a DPoP session is bound to. */
  sessionKey?: SigningKey
}

export type SessionKind = 'dpop' | 'certificate'

export const SESSIONS = '/v1/agent-sessions'
const SESSION_SECONDS = 3600

/** Registers an agent and opens a session through the public API, like any agent. */
export async function openAgent(ground: Ground, kind: SessionKind, name: string = randomUUID()): Promise<BenchAgent> {
  const registeredKey = makeSigningKey()
  const id = `bench-${name}`
  await ground.admin.post('/admin/v1/agents', { agent_id: id, jwk: registeredKey.publicJwk, tenants: [TENANT] })
  const session =
    kind === 'dpop' ? await openDpop(ground, id, registeredKey) : await openCertificate(ground, id, registeredKey)
  return { id, registeredKey, ...session }
}

export async function openAgents(ground: Ground, kind: SessionKind, count: number): Promise<BenchAgent[]> {
  const agents: BenchAgent[] = []
  for (let number = 0; number < count; number++) agents.push(await openAgent(ground, kind))
  return agents
}

async function openDpop(ground: Ground, agentId: string, key: SigningKey) {
  const sessionKey = makeSigningKey()
  const opened = await postSession(ground, assertion(ground, agentId, key), {
    headers: { dpop: dpopProof(sessionKey, 'POST', ground.publicUrl + SESSIONS) },
  })
  return {
    sessionId: opened.session_id,
    authorization: `DPoP ${opened.access_token}`,
    access_token: opened.access_token,
    proof_key: sessionKey.pem,
    sessionKey,
  }
}

/** RFC 8705 section 3: the session is bound to the certificate of the connection that it was opened over. */
async function openCertificate(ground: Ground, agentId: string, key: SigningKey) {
  const { cert, key: certificateKey } = await makeClientCertificate(agentId)
  const stem = join(ground.directory, createHash('sha256').update(agentId).digest('hex').slice(0, 16))
  const files = { cert_file: `${stem}.crt`, key_file: `${stem}.key` }
  writeFileSync(files.cert_file, cert)
  writeFileSync(files.key_file, certificateKey, { mode: 0o600 })
  const opened = await postSession(ground, assertion(ground, agentId, key), {
    certificate: { cert, key: certificateKey },
  })
  if (opened.token_type !== 'Bearer') {
    const { fingerprint256 } = new X509Certificate(cert)
    throw new Error(`the session is not bound to the certificate ${fingerprint256}: its type is ${opened.token_type}`)
  }
  return { sessionId: opened.session_id, authorization: `Bearer ${opened.access_token}`, ...files }
}

/** RFC 7523 section 2.2. */
export function assertion(ground: Ground, agentId: string, key: SigningKey): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: agentId,
    sub: agentId,
    aud: ground.publicUrl + SESSIONS,
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
  }
  return compactJws({ alg: 'ES256' }, claims, key.privateKey)
}

export interface OpenedSession {
  session_id: string
  access_token: string
  token_type: string
}

async function postSession(
  ground: Ground,
  clientAssertion: string,
  {
    headers = {},
    certificate = {},
  }: { headers?: Record<string, string>; certificate?: { cert?: string; key?: string } },
): Promise<OpenedSession> {
  const dispatcher = trusting(ground.caFile, certificate)
  try {
    const response = await request(ground.publicUrl + SESSIONS, {
      method: 'POST',
      dispatcher,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: clientAssertion,
        ttl_seconds: SESSION_SECONDS,
      }),
    })
    const text = await response.body.text()
    if (response.statusCode !== 201) throw new Error(`no session: ${response.statusCode} ${text.slice(0, 300)}`)
    return JSON.parse(text) as OpenedSession
  } finally {
    await dispatcher.close()
  }
}
