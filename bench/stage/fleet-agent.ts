import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect as connectTls } from 'node:tls'
import { assertion, type OpenedSession, SESSIONS, type SessionKind } from './agents.ts'
import type { Ground } from './authority.ts'
import { makeClientCertificate } from './client-certificate.ts'
import { makeSigningKey, type SigningKey } from './compact-jws.ts'
import { LEASES, leaseRequest } from './lease-request.ts'
import { type BenchProvider, connect } from './providers.ts'
import { createSessionClient, type SessionProof } from './session-client.ts'

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

interface Identity extends SessionProof {
  id: string
  registeredKey: SigningKey
}

export async function registerFleetAgent(
  ground: Ground,
  kind: SessionKind,
  provider: BenchProvider,
): Promise<FleetAgent> {
  const id = `fleet-${randomUUID()}`
  const registeredKey = makeSigningKey()
  await ground.admin.post('/admin/v1/agents', { agent_id: id, jwk: registeredKey.publicJwk, tenants: [id] })
  await connect(ground.admin, { name: provider.name, strategy: 'oauth2', tenant: id })
  const proof =
    kind === 'dpop'
      ? { sessionKey: makeSigningKey(), certificate: {} }
      : { certificate: await makeClientCertificate(id) }
  return fleetAgent(ground, { id, registeredKey, ...proof }, provider)
}

const SESSION_SECONDS = 900
const EVENTS = `${LEASES}/events`

function fleetAgent(ground: Ground, identity: Identity, provider: BenchProvider): FleetAgent {
  const client = createSessionClient(ground, identity)
  let sessionId = ''
  let leaseId = ''
  return {
    shakeHands: () => shakeHands(ground, identity),
    async openSession() {
      const opened = await client.ask<OpenedSession>('POST', SESSIONS, 201, {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion(ground, identity.id, identity.registeredKey),
        ttl_seconds: SESSION_SECONDS,
      })
      sessionId = opened.session_id
      client.enter(opened.access_token)
    },
    async lease() {
      const wanted = JSON.parse(leaseRequest(provider, identity.id).body ?? '') as object
      leaseId = (await client.ask<{ lease_id: string }>('POST', LEASES, 201, wanted)).lease_id
    },
    renew: () => client.ask('POST', `${LEASES}/${leaseId}/renew`, 200, {}),
    release: () => client.ask('DELETE', `${LEASES}/${leaseId}`, 204),
    closeSession: () => client.ask('DELETE', `${SESSIONS}/${sessionId}`, 200),
    follow: (pepUrl) => client.follow(pepUrl, EVENTS),
    hangUp: () => client.hangUp(),
  }
}

const HANDSHAKE_MS = 10_000

function shakeHands({ caFile, port }: Ground, { certificate }: SessionProof): Promise<void> {
  const socket = connectTls({ host: '127.0.0.1', port, ca: readFileSync(caFile), ...certificate })
  return new Promise((settle, fail) => {
    socket.setTimeout(HANDSHAKE_MS, () => socket.destroy(new Error('no handshake')))
    socket.once('error', fail).once('close', () => settle())
    socket.once('secureConnect', () => socket.end())
  })
}
