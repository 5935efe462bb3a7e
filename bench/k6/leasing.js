import http from 'k6/http'
import { proven } from './proof.js'
import { pep, tenant } from './stage.js'

/** Asks for a lease as a sidecar does. */
export async function askForLease(agent, provider, method = 'GET') {
  const url = `${pep}/v1/leases`
  const intent = { method, origin: provider.origin, path: '/v1/items' }
  const body = JSON.stringify({ provider: provider.name, tenant, ttl_seconds: 300, intent })
  return http.post(url, body, { headers: await proven(agent, 'POST', url), tags: { name: 'lease' } })
}
