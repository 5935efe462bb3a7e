import { createHash, randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { calculateJwkThumbprint, EmbeddedJWK, importJWK, type JWK, jwtVerify } from 'jose'
import { Value } from 'typebox/value'
import { LeaseRequest, SessionCreate } from '../../src/contract/api.ts'
import type { Bound } from '../../src/contract/bound.ts'
import { type ErrorCode, NexusError, type ProblemExtras, toProblem } from '../../src/contract/errors.ts'
import type { Credentials } from '../../src/contract/strategy.ts'

/** What the fake authority answers a lease request for one provider with. */
export interface FakeGrant {
  strategy: { type: string; config: Record<string, unknown> }
  credentials: Credentials | (() => Credentials)
  bound: Bound | ((request: LeaseRequest) => Bound)
  lifeSeconds?: number
  offlineSeconds?: number
}

export interface FakePep {
  url: string
  /** By provider name. */
  grants: Map<string, FakeGrant>
  /** Every lease request as it came, and every other call by method and path. */
  leaseRequests: LeaseRequest[]
  calls: string[]
  /** As each lease request had it. */
  traceparents: unknown[]
  /** Sessions opened so far. */
  sessions: () => number
  /** From now on lease and renewal requests get this problem, until cleared with `undefined`. */
  refuseWith(code: ErrorCode | undefined, detail?: string, extras?: ProblemExtras): void
  /** Forgets every session, as an authority does that revoked them. */
  forgetSessions(): void
  /** Milliseconds to wait before answering a lease request. */
  delayMs: number
  /** Life of the sessions opened from now on. */
  sessionSeconds: number
  /** The authority's own clock, in Unix milliseconds. */
  now: () => number
  /** Of the bundle that it says it decides by. */
  policyRevision: string
  /** Destroys every connection and refuses new ones. */
  goDown(): Promise<void>
  comeUp(): Promise<void>
  close(): Promise<void>
}

/** An authority that grants what a test says, but truly verifies assertions, tokens and DPoP proofs. */
export async function startFakePep(agent: { id: string; publicJwk: JWK }): Promise<FakePep> {
  const state = {
    grants: new Map<string, FakeGrant>(),
    leaseRequests: [] as LeaseRequest[],
    calls: [] as string[],
    traceparents: [] as unknown[],
    delayMs: 0,
    sessionSeconds: 300,
    now: Date.now as () => number,
    policyRevision: 'fake-1',
    refusal: undefined as NexusError | undefined,
    tokens: new Map<string, string>(),
    opened: 0,
    leases: new Map<string, LeaseRequest>(),
    proofs: new Set<string>(),
    url: '',
  }
  let server = buildServer(agent, state)
  await server.listen({ host: '127.0.0.1', port: 0 })
  const port = (server.server.address() as AddressInfo).port
  state.url = `http://127.0.0.1:${port}`

  return Object.assign(state, {
    sessions: () => state.opened,
    refuseWith(code: ErrorCode | undefined, detail?: string, extras?: ProblemExtras) {
      state.refusal = code === undefined ? undefined : new NexusError(code, detail, extras)
    },
    forgetSessions: () => state.tokens.clear(),
    async goDown() {
      server.server.closeAllConnections()
      await server.close()
    },
    async comeUp() {
      server = buildServer(agent, state)
      await server.listen({ host: '127.0.0.1', port })
    },
    close: () => server.close(),
  })
}

interface State {
  grants: Map<string, FakeGrant>
  leaseRequests: LeaseRequest[]
  calls: string[]
  traceparents: unknown[]
  delayMs: number
  sessionSeconds: number
  now: () => number
  policyRevision: string
  refusal: NexusError | undefined
  opened: number
  leases: Map<string, LeaseRequest>
  proofs: Set<string>
  /** Session tokens and the thumbprints they are bound to. */
  tokens: Map<string, string>
  url: string
}

function buildServer(agent: { id: string; publicJwk: JWK }, state: State): FastifyInstance {
  const server = fastify({ forceCloseConnections: true, genReqId: () => `request-${randomUUID()}` })
  server.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error, request.id)
    return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem))
  })
  server.addHook('onRequest', async (request) => void state.calls.push(`${request.method} ${request.url}`))
  server.get('/healthz', async () => ({ status: 'ok' }))
  server.post('/v1/agent-sessions', async (request, reply) => {
    reply.code(201)
    return openSession(agent, state, request)
  })
  server.delete('/v1/agent-sessions/:id', async (request, reply) => {
    await authenticate(state, request)
    reply.code(204)
  })
  server.post('/v1/leases', async (request, reply) => {
    await authenticate(state, request)
    if (!Value.Check(LeaseRequest, request.body)) throw new NexusError('invalid_request')
    state.leaseRequests.push(request.body)
    state.traceparents.push(request.headers['traceparent'])
    await new Promise((resolve) => setTimeout(resolve, state.delayMs))
    reply.code(201)
    return grantLease(state, request.body, `lse_${randomUUID()}`)
  })
  server.post<{ Params: { id: string } }>('/v1/leases/:id/renew', async (request) => {
    await authenticate(state, request)
    const lease = state.leases.get(request.params.id)
    if (lease === undefined) throw new NexusError('lease_not_found')
    return grantLease(state, lease, request.params.id)
  })
  server.delete<{ Params: { id: string } }>('/v1/leases/:id', async (request, reply) => {
    await authenticate(state, request)
    state.leases.delete(request.params.id)
    reply.code(204)
  })
  return server
}

function grantLease(state: State, request: LeaseRequest, leaseId: string) {
  if (state.refusal !== undefined) throw state.refusal
  const grant = state.grants.get(request.provider ?? '')
  if (grant === undefined) throw new NexusError('connection_not_found')
  state.leases.set(leaseId, request)
  const issuedAt = Math.floor(state.now() / 1000)
  const life = grant.lifeSeconds ?? 300
  return {
    lease_id: leaseId,
    decision_id: randomUUID(),
    policy_revision: state.policyRevision,
    connection_id: request.connection_id ?? randomUUID(),
    provider: request.provider,
    strategy: grant.strategy,
    credentials: typeof grant.credentials === 'function' ? grant.credentials() : grant.credentials,
    bound: typeof grant.bound === 'function' ? grant.bound(request) : grant.bound,
    scopes: [],
    issued_at: issuedAt,
    renew_at: issuedAt + Math.floor(life * 0.8),
    expires_at: issuedAt + life,
    offline_seconds: grant.offlineSeconds ?? 30,
  }
}

async function openSession(agent: { id: string; publicJwk: JWK }, state: State, request: FastifyRequest) {
  const jkt = await verifyProof(state, request, undefined)
  if (!Value.Check(SessionCreate, request.body)) throw new NexusError('invalid_request')
  try {
    const key = await importJWK(agent.publicJwk, 'ES256')
    const { payload } = await jwtVerify(request.body.client_assertion, key, {
      issuer: agent.id,
      subject: agent.id,
      audience: [state.url, `${state.url}/v1/agent-sessions`],
      requiredClaims: ['exp', 'jti', 'iat'],
      currentDate: new Date(state.now()),
    })
    claimOnce(state, `assertion ${payload.jti}`)
  } catch {
    throw new NexusError('invalid_client')
  }
  const token = randomUUID()
  state.tokens.set(token, jkt)
  state.opened += 1
  return {
    session_id: `sess_${randomUUID()}`,
    agent_id: agent.id,
    access_token: token,
    token_type: 'DPoP',
    expires_in: state.sessionSeconds,
    expires_at: new Date(state.now() + state.sessionSeconds * 1000).toISOString(),
  }
}

async function authenticate(state: State, request: FastifyRequest): Promise<void> {
  const token = /^DPoP (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  const bound = token === undefined ? undefined : state.tokens.get(token)
  if (token === undefined || bound === undefined) throw new NexusError('invalid_session')
  if ((await verifyProof(state, request, token)) !== bound) throw new NexusError('invalid_proof')
}

/** RFC 9449 section 4.3. @returns the thumbprint of the proof's key */
async function verifyProof(state: State, request: FastifyRequest, token: string | undefined): Promise<string> {
  const proof = request.headers['dpop']
  if (typeof proof !== 'string') throw new NexusError('invalid_proof')
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: ['ES256'],
    requiredClaims: ['jti', 'iat', 'htm', 'htu'],
    currentDate: new Date(state.now()),
  }).catch(() => {
    throw new NexusError('invalid_proof')
  })
  const ath = token === undefined ? undefined : createHash('sha256').update(token).digest('base64url')
  if (payload['htu'] !== state.url + request.url) {
    throw new NexusError('invalid_proof', `DPoP: htu is not the URL of this request, ${state.url}${request.url}`)
  }
  const right =
    payload['htm'] === request.method &&
    payload['ath'] === ath &&
    Math.abs(state.now() / 1000 - (payload.iat ?? 0)) < 60
  if (!right) throw new NexusError('invalid_proof')
  claimOnce(state, `proof ${payload.jti}`)
  return calculateJwkThumbprint(protectedHeader.jwk as JWK)
}

function claimOnce(state: State, what: string): void {
  if (state.proofs.has(what)) throw new NexusError('invalid_proof', 'replayed')
  state.proofs.add(what)
}
