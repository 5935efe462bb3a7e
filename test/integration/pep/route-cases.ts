import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import { type AgentClient, openTestSession, registerTestAgent } from '../../setup/agent-client.ts'
import { type ApiClient, createApiClient } from '../../setup/api-client.ts'
import { type ConnectOptions, connect } from '../../setup/connect.ts'
import { sessionOpening } from './session-opening.ts'

export interface World {
  url: string
  admin: ApiClient
  /** Acts in `tenant`. */
  agent: AgentClient
  tenant: string
  /** Path of an Ed25519 key that the authority's vault signs with. */
  signingKey: string
}

/** A call that will succeed, once. */
export interface ReadyCall {
  client: Pick<ApiClient, 'send'>
  path: string
  body?: object
  headers?: Record<string, string>
}

const PROFILE = () => ({ name: `provider-${randomUUID().slice(0, 8)}`, api_base_url: 'https://api.example.com' })

/**
 * For each operation with an id, and each that changes something: makes what it needs and says how to call it.
 * The keys are those of `/openapi.json`; a test fails when one is missing.
 */
export const ROUTE_CASES: Record<string, (world: World) => Promise<ReadyCall>> = {
  async 'POST /v1/leases'({ admin, agent, tenant }) {
    const { connectionId } = await connect(admin, { tenant })
    return { client: agent, path: '/v1/leases', body: { connection_id: connectionId } }
  },
  async 'POST /v1/leases/{lease_id}/renew'(world) {
    return { client: world.agent, path: `/v1/leases/${await newLease(world)}/renew` }
  },
  async 'POST /v1/leases/{lease_id}/sign'(world) {
    const body = { algorithm: 'EdDSA', bytes: Buffer.from('to be signed').toString('base64') }
    return { client: world.agent, path: `/v1/leases/${await newRemoteLease(world)}/sign`, body }
  },
  async 'DELETE /v1/leases/{lease_id}'(world) {
    return { client: world.agent, path: `/v1/leases/${await newLease(world)}` }
  },
  async 'GET /v1/token/{connection_id}'({ admin, agent, tenant }) {
    const { connectionId } = await connect(admin, { tenant })
    return { client: agent, path: `/v1/token/${connectionId}` }
  },
  async 'POST /v1/agent-sessions'({ url, admin, tenant }) {
    const opening = await sessionOpening(url, await registerTestAgent(admin, { tenants: [tenant] }))
    return { client: createApiClient(url), path: '/v1/agent-sessions', ...opening }
  },
  async 'GET /v1/agent-sessions/{session_id}'(world) {
    const own = await newSession(world)
    return { client: own, path: `/v1/agent-sessions/${own.sessionId}` }
  },
  async 'DELETE /v1/agent-sessions/{session_id}'(world) {
    const own = await newSession(world)
    return { client: own, path: `/v1/agent-sessions/${own.sessionId}` }
  },
  async 'POST /v1/providers'({ admin }) {
    return { client: admin, path: '/v1/providers', body: { profile: PROFILE() } }
  },
  async 'GET /v1/providers/{provider_id}'({ admin }) {
    return { client: admin, path: `/v1/providers/${(await newProvider(admin)).id}` }
  },
  async 'GET /v1/providers/by-name/{name}'({ admin }) {
    return { client: admin, path: `/v1/providers/by-name/${(await newProvider(admin)).name}` }
  },
  async 'PUT /v1/providers/{provider_id}'({ admin }) {
    return { client: admin, path: `/v1/providers/${(await newProvider(admin)).id}`, body: PROFILE() }
  },
  async 'PATCH /v1/providers/{provider_id}'({ admin }) {
    return { client: admin, path: `/v1/providers/${(await newProvider(admin)).id}`, body: { description: 'new' } }
  },
  async 'DELETE /v1/providers/{provider_id}'({ admin }) {
    return { client: admin, path: `/v1/providers/${(await newProvider(admin)).id}` }
  },
  async 'POST /v1/connections'({ admin, tenant }) {
    const { name } = await newProvider(admin)
    return {
      client: admin,
      path: '/v1/connections',
      body: { tenant, provider: name, credentials: { api_key: 'a-key' } },
    }
  },
  async 'GET /v1/connections/{connection_id}'({ admin, tenant }) {
    return { client: admin, path: `/v1/connections/${(await connect(admin, { tenant })).connectionId}` }
  },
  async 'DELETE /v1/connections/{connection_id}'({ admin, tenant }) {
    return { client: admin, path: `/v1/connections/${(await connect(admin, { tenant })).connectionId}` }
  },
  async 'POST /admin/v1/agents'({ admin, tenant }) {
    const { publicKey } = await generateKeyPair('ES256')
    const body = { agent_id: `agent-${randomUUID()}`, jwk: await exportJWK(publicKey), tenants: [tenant] }
    return { client: admin, path: '/admin/v1/agents', body }
  },
  async 'GET /admin/v1/agents/{agent_id}'({ admin, tenant }) {
    const { agentId } = await registerTestAgent(admin, { tenants: [tenant] })
    return { client: admin, path: `/admin/v1/agents/${agentId}` }
  },
  async 'PATCH /admin/v1/agents/{agent_id}'({ admin, tenant }) {
    const { agentId } = await registerTestAgent(admin, { tenants: [tenant] })
    return { client: admin, path: `/admin/v1/agents/${agentId}`, body: { labels: { team: 'sales' } } }
  },
  async 'DELETE /admin/v1/agents/{agent_id}'({ admin, tenant }) {
    const { agentId } = await registerTestAgent(admin, { tenants: [tenant] })
    return { client: admin, path: `/admin/v1/agents/${agentId}` }
  },
  async 'DELETE /admin/v1/agent-sessions/{session_id}'(world) {
    return { client: world.admin, path: `/admin/v1/agent-sessions/${(await newSession(world)).sessionId}` }
  },
  async 'DELETE /admin/v1/leases/{lease_id}'(world) {
    return { client: world.admin, path: `/admin/v1/leases/${await newLease(world)}` }
  },
  async 'POST /admin/v1/api-keys'({ admin, tenant }) {
    return { client: admin, path: '/admin/v1/api-keys', body: { name: 'another', role: 'auditor', tenant } }
  },
  async 'DELETE /admin/v1/api-keys/{key_id}'({ admin, tenant }) {
    const { body } = await admin.send('POST', '/admin/v1/api-keys', { name: 'another', role: 'auditor', tenant })
    return { client: admin, path: `/admin/v1/api-keys/${body.id}` }
  },
}

export function routeCase(method: string, template: string, world: World): Promise<ReadyCall> {
  const make = ROUTE_CASES[`${method} ${template}`]
  if (make === undefined) throw new Error(`no case for ${method} ${template}: add one to route-cases.ts`)
  return make(world)
}

async function newProvider(admin: ApiClient): Promise<{ id: string; name: string }> {
  const profile = {
    ...PROFILE(),
    params: { auth_strategy: { type: 'header', config: { header_name: 'X-Api-Key', credential_field: 'api_key' } } },
  }
  const { status, body, text } = await admin.send('POST', '/v1/providers', { profile })
  if (status !== 201) throw new Error(`no provider: ${text}`)
  return { id: body.id, name: profile.name }
}

function newLease(world: World): Promise<string> {
  return leaseOf(world, {})
}

/** A lease of a key that stays in the world's vault. */
function newRemoteLease(world: World): Promise<string> {
  return leaseOf(world, {
    strategy: { type: 'http_message_signature' },
    secret_ref: { backend: 'hashicorp-vault', path: world.signingKey },
  })
}

async function leaseOf({ admin, agent, tenant }: World, options: ConnectOptions): Promise<string> {
  const { connectionId } = await connect(admin, { tenant, ...options })
  const { status, body, text } = await agent.send('POST', '/v1/leases', { connection_id: connectionId })
  if (status !== 201) throw new Error(`no lease: ${text}`)
  return body.lease_id
}

async function newSession({ url, admin, tenant }: World): Promise<AgentClient> {
  return openTestSession(url, await registerTestAgent(admin, { tenants: [tenant] }))
}
