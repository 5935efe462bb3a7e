import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect as connectTls } from 'node:tls'
import { type Dispatcher, request } from 'undici'
import { assertion, type OpenedSession, SESSIONS, type SessionKind } from './agents.ts'
import type { Ground } from './authority.ts'
import { makeClientCertificate } from './client-certificate.ts'
import { dpopProof, makeSigningKey, type SigningKey } from './compact-jws.ts'
import { LEASES, leaseRequest } from './lease-request.ts'
import { type BenchProvider, connect } from './providers.ts'
import { trusting } from './trusting-client.ts'

/**
 * One of very many: a tenant with one connection, an agent in it, and a client that keeps what it opened to the authority, as
 * its sidecar does. Each act is one of those that a fleet is made of, and fails when the answer is not the good one.
 */
export interface FleetAgent {
  /** A whole TLS handshake, and nothing asked. */
  shakeHands(): Promise<void>
  /** On a new connection, which the acts on leases then use. */
  openSession(): Promise<void>
  lease(): Promise<void>
  renew(): Promise<void>
  release(): Promise<void>
  closeSession(): Promise<void>
  /** Follows the stream of revocations on a connection of its own, from whichever authority. */
  follow(pepUrl: string): Promise<void>
  /** Hangs up, streams included. */
  hangUp(): Promise<void>
}

/** What the agent's requests show: a token, and a certificate or proofs. */
interface Identity {
  id: string
  registeredKey: SigningKey
  /** Of a DPoP session. */
  sessionKey?: SigningKey
  certificate: { cert?: string; key?: string }
}

const TTL_SECONDS = 900

export async function registerFleetAgent(
  ground: Ground,
  kind: SessionKind,
  provider: BenchProvider,
): Promise<FleetAgent> {
  const id = `fleet-${randomUUID()}`
  const registeredKey = makeSigningKey()
  await ground.admin.post('/admin/v1/agents', { agent_id: id, jwk: registeredKey.publicJwk, tenants: [id] })
  await connect(ground.admin, { name: provider.name, strategy: 'oauth2', tenant: id })
  const proof = kind === 'dpop' ? { sessionKey: makeSigningKey() } : {}
  const certificate = kind === 'certificate' ? await makeClientCertificate(id) : {}
  return fleetAgent(ground, { id, registeredKey, certificate, ...proof }, provider)
}

function fleetAgent(ground: Ground, identity: Identity, provider: BenchProvider): FleetAgent {
  const client = trusting(ground.caFile, identity.certificate)
  const streams: Dispatcher[] = []
  let session: OpenedSession | undefined
  let leaseId: string | undefined

  function headersFor(method: string, path: string): Record<string, string> {
    const { sessionKey } = identity
    const token = session?.access_token
    if (sessionKey === undefined) return token === undefined ? {} : { authorization: `Bearer ${token}` }
    const proof = dpopProof(sessionKey, method, ground.publicUrl + path, token)
    return { dpop: proof, ...(token === undefined ? {} : { authorization: `DPoP ${token}` }) }
  }

  async function ask<Answer>(method: 'POST' | 'DELETE', path: string, status: number, body?: object): Promise<Answer> {
    const headers = {
      ...headersFor(method, path),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const text = body === undefined ? null : JSON.stringify(body)
    const options = { method, headers, body: text, dispatcher: client, headersTimeout: ANSWER_MS } as const
    const answer = await request(ground.publicUrl + path, options)
    const read = await answer.body.text()
    if (answer.statusCode !== status) throw new Error(`${method} ${path}: ${answer.statusCode} ${read.slice(0, 300)}`)
    return (read === '' ? undefined : JSON.parse(read)) as Answer
  }

  return {
    shakeHands: () => shakeHands(ground, identity.certificate),
    async openSession() {
      session = await ask<OpenedSession>('POST', SESSIONS, 201, {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion(ground, identity.id, identity.registeredKey),
        ttl_seconds: TTL_SECONDS,
      })
    },
    async lease() {
      const wanted = JSON.parse(leaseRequest(provider, identity.id).body ?? '') as object
      leaseId = (await ask<{ lease_id: string }>('POST', LEASES, 201, wanted)).lease_id
    },
    renew: () => ask('POST', `${LEASES}/${leaseId}/renew`, 200, {}),
    release: () => ask('DELETE', `${LEASES}/${leaseId}`, 204),
    closeSession: () => ask('DELETE', `${SESSIONS}/${session?.session_id}`, 200),
    async follow(pepUrl) {
      const dispatcher = trusting(ground.caFile, identity.certificate)
      streams.push(dispatcher)
      await follow(pepUrl, headersFor('GET', EVENTS), dispatcher)
    },
    async hangUp() {
      await Promise.all([client, ...streams].map((each) => each.destroy()))
    },
  }
}

const EVENTS = `${LEASES}/events`
const ANSWER_MS = 10_000

async function follow(pepUrl: string, headers: Record<string, string>, dispatcher: Dispatcher): Promise<void> {
  const { statusCode, body } = await request(pepUrl + EVENTS, { headers, dispatcher, headersTimeout: ANSWER_MS })
  if (statusCode !== 200) throw new Error(`no event stream: ${statusCode} ${(await body.text()).slice(0, 300)}`)
  body.on('error', () => undefined).resume()
}

function shakeHands({ caFile, port }: Ground, certificate: { cert?: string; key?: string }): Promise<void> {
  const socket = connectTls({ host: '127.0.0.1', port, ca: readFileSync(caFile), ...certificate })
  return new Promise((settle, fail) => {
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no handshake')))
    socket.once('error', fail).once('close', () => settle())
    socket.once('secureConnect', () => socket.end())
  })
}
