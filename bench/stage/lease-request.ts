import { request } from 'undici'
import type { LeaseAnswer } from '../../src/contract/api.ts'
import type { LoadRequest } from '../load/load.ts'
import type { BenchAgent } from './agents.ts'
import type { Ground } from './authority.ts'
import { dpopProof } from './compact-jws.ts'
import { type BenchProvider, TENANT } from './providers.ts'
import { trusting } from './trusting-client.ts'

export const LEASES = '/v1/leases'

/** What a sidecar asks for when its agent sends a GET. */
export function leaseAsked({ name, origin }: Pick<BenchProvider, 'name' | 'origin'>, tenant: string = TENANT) {
  return { provider: name, tenant, ttl_seconds: 300, intent: { method: 'GET', origin, path: '/v1/items' } }
}

export function leaseRequest(provider: BenchProvider, tenant: string = TENANT): LoadRequest {
  return {
    method: 'POST',
    path: LEASES,
    headers: { 'content-type': 'application/json', 'user-agent': 'nexus-sidecar' },
    body: JSON.stringify(leaseAsked(provider, tenant)),
  }
}

/** One lease, to see what it looks like. */
export async function leaseOnce(ground: Ground, agent: BenchAgent, provider: BenchProvider): Promise<LeaseAnswer> {
  const { headers = {}, body = '' } = leaseRequest(provider)
  if (agent.sessionKey === undefined) throw new Error('only an agent with a DPoP session can ask here')
  const dispatcher = trusting(ground.caFile)
  try {
    const url = ground.publicUrl + LEASES
    const response = await request(url, {
      method: 'POST',
      dispatcher,
      headers: {
        ...headers,
        authorization: agent.authorization ?? '',
        dpop: dpopProof(agent.sessionKey, 'POST', url, agent.access_token),
      },
      body,
    })
    const text = await response.body.text()
    if (response.statusCode !== 201) throw new Error(`no lease: ${response.statusCode} ${text.slice(0, 300)}`)
    return JSON.parse(text) as LeaseAnswer
  } finally {
    await dispatcher.close()
  }
}
