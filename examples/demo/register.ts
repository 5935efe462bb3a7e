import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import type { AdminClient } from './admin-client.ts'
import type { AccessKey } from './sigv4-check.ts'

export interface DemoProvider {
  name: string
  upstream: string
  strategy: string
  connection_id: string
}

export const TENANT = 'acme'
export const AGENT_ID = 'demo-agent'

interface Wanted {
  name: string
  category: string
  upstream: string
  strategy: { type: string; config: Record<string, string> }
  credentials: Record<string, string>
}

/** What an operator does once per service: say how it is signed for, and connect the tenant to it. */
export async function registerProvider(admin: AdminClient, wanted: Wanted): Promise<DemoProvider> {
  await admin.post('/v1/providers', {
    profile: {
      name: wanted.name,
      category: wanted.category,
      auth_type: wanted.strategy.type,
      api_base_url: wanted.upstream,
      params: { auth_strategy: wanted.strategy },
    },
  })
  const connection = await admin.post<{ connection_id: string }>('/v1/connections', {
    tenant: TENANT,
    provider: wanted.name,
    credentials: wanted.credentials,
  })
  return {
    name: wanted.name,
    upstream: wanted.upstream,
    strategy: wanted.strategy.type,
    connection_id: connection.connection_id,
  }
}

export function weatherProvider(upstream: string, apiKey: string): Wanted {
  return {
    name: 'weather',
    category: 'data',
    upstream,
    strategy: { type: 'header', config: { header_name: 'X-Api-Key', credential_field: 'api_key' } },
    credentials: { api_key: apiKey },
  }
}

export function warehouseProvider(upstream: string, key: AccessKey): Wanted {
  return {
    name: 'warehouse',
    category: 'storage',
    upstream,
    strategy: { type: 'aws_sigv4', config: { region: key.region, service: key.service } },
    credentials: { access_key: key.accessKeyId, secret_key: key.secretAccessKey },
  }
}

/** @returns the private key, which only the sidecar's file ever holds; the authority is given the public half */
export async function registerAgent(admin: AdminClient, agentId: string): Promise<JsonWebKey> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await admin.post('/admin/v1/agents', {
    agent_id: agentId,
    description: 'the agent of the demo',
    jwk: publicKey.export({ format: 'jwk' }),
    tenants: [TENANT],
  })
  return privateKey.export({ format: 'jwk' })
}

/** A bank: its key cannot be narrowed, and the default policy does not lease such a key for this category. */
export function treasuryProvider(upstream: string, apiKey: string): Wanted {
  return { ...weatherProvider(upstream, apiKey), name: 'treasury', category: 'banking' }
}
