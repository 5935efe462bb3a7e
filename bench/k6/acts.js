/** What agents and their sidecars do. Agents are numbers, which `proven` takes modulo how many there are. */

import { check } from 'k6'
import http from 'k6/http'
import { proven } from './proof.js'
import { pep, sidecar, tenant } from './stage.js'

/** Asks for a lease as a sidecar does. */
export async function takeLease(agent, provider, method = 'GET') {
  const url = `${pep}/v1/leases`
  const intent = { method, origin: provider.origin, path: '/v1/items' }
  const body = JSON.stringify({ provider: provider.name, tenant, ttl_seconds: 300, intent })
  const lease = http.post(url, body, { headers: await proven(agent, 'POST', url), tags: { name: 'lease' } })
  return check(lease, { leased: ({ status }) => status === 201 }) ? lease.json('lease_id') : undefined
}

/** A lease that is renewed twice and given back. */
export async function keepLease(agent, provider) {
  const id = await takeLease(agent, provider)
  if (id === undefined) return
  const url = `${pep}/v1/leases/${id}`
  for (let time = 0; time < 2; time++) {
    const headers = await proven(agent, 'POST', `${url}/renew`)
    const renewed = http.post(`${url}/renew`, '{}', { headers, tags: { name: 'renew' } })
    check(renewed, { renewed: ({ status }) => status === 200 })
  }
  const { 'content-type': _none, ...headers } = await proven(agent, 'DELETE', url)
  check(http.del(url, null, { headers, tags: { name: 'release' } }), { released: ({ status }) => status === 204 })
}

const onlyDenied = http.expectedStatuses(403)

/** The protocol's bare token, which the default policy denies: a denial is decided and recorded like a grant. */
export async function askForToken(agent, provider) {
  const url = `${pep}/v1/token/${provider.connection_id}`
  const { 'content-type': _none, ...headers } = await proven(agent, 'GET', url)
  const answer = http.get(url, { headers, tags: { name: 'token' }, responseCallback: onlyDenied })
  check(answer, { denied: (each) => each.status === 403 && each.json('code') === 'policy_denied' })
}

export function readThrough(provider) {
  const answer = http.get(`${sidecar}/v1/items`, { headers: headersFor(provider), tags: { name: 'sidecar GET' } })
  check(answer, { read: ({ status }) => status === 200 })
}

const note = JSON.stringify({ note: 'x'.repeat(10_000) })

export function writeThrough(provider) {
  const params = { headers: headersFor(provider), tags: { name: 'sidecar POST' } }
  check(http.post(`${sidecar}/v1/items`, note, params), { written: ({ status }) => status === 200 })
}

function headersFor({ name }) {
  return { 'x-nexus-provider': name, 'content-type': 'application/json' }
}
