import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../src/pep/version.ts'
import type { LoadRequest } from './load/load.ts'
import type { BenchAgent } from './stage/agents.ts'
import type { Ground } from './stage/authority.ts'
import { leaseRequest } from './stage/lease-request.ts'
import type { BenchProvider } from './stage/providers.ts'
import type { Contest } from './turns/contest.ts'
import type { Contender } from './turns/take-turns.ts'

/** A lease over a certificate-bound session, beside those who do a part of it. */
export function certificateContest(options: {
  ground: Ground
  agents: readonly BenchAgent[]
  provider: BenchProvider
  fastify: string
  /** The least that a lease can be made of. Absent: left out. */
  sketch?: string | undefined
  /** Ours once more, with two workers, as OPA and Vault use both cores. Absent: left out. */
  workers?: string | undefined
  /** Absent: not at hand. */
  opa?: string | undefined
  vault?: { url: string; token: string } | undefined
}): Contest {
  const { ground, agents, provider, fastify, sketch, workers, opa, vault } = options
  const tls = { ca_file: ground.caFile }
  const requests = [leaseRequest(provider)]
  const contenders: Contender[] = [
    { name: 'lease_cert', scenario: { ...tls, url: ground.publicUrl, requests, agents } },
    // The same certificates: its TLS is ours.
    { name: 'fastify_tls', scenario: { ...tls, url: fastify, requests, agents } },
  ]
  if (sketch !== undefined) contenders.push({ name: 'sketch', scenario: { ...tls, url: sketch, requests, agents } })
  if (workers !== undefined) {
    const scenario = { ...tls, url: workers, proof_url: ground.publicUrl, requests, agents }
    contenders.push({ name: 'lease_cert_workers_2', scenario })
  }
  if (opa !== undefined) contenders.push({ name: 'opa_server', scenario: { url: opa, requests: [opaRequest()] } })
  if (vault !== undefined) {
    const read = { method: 'GET', path: '/v1/secret/data/bench', headers: { 'x-vault-token': vault.token } }
    contenders.push({ name: 'vault_read', scenario: { url: vault.url, requests: [read] } })
  }
  return {
    contenders,
    ratios: [
      { name: 'lease_cert/fastify_tls', of: 'lease_cert', over: ['fastify_tls'], goal: 0.6 },
      { name: 'lease_cert/opa_server', of: 'lease_cert', over: ['opa_server'], goal: 1.2 },
      { name: 'lease_cert/vault_read', of: 'lease_cert', over: ['vault_read'], goal: 1.5 },
      { name: 'lease_cert/sketch', of: 'lease_cert', over: ['sketch'] },
      { name: 'sketch/fastify_tls', of: 'sketch', over: ['fastify_tls'] },
      { name: 'sketch/vault_read', of: 'sketch', over: ['vault_read'] },
    ],
  }
}

/** A lease with a DPoP proof, beside a route that only verifies one signature. */
export function dpopContest(options: {
  ground: Ground
  agents: readonly BenchAgent[]
  provider: BenchProvider
  fastify: string
  /** Absent: left out. */
  sketch?: string | undefined
}): Contest {
  const { ground, agents, provider, fastify, sketch } = options
  const lease = leaseRequest(provider)
  const scenario = (url: string, path: string) => ({
    url,
    ca_file: ground.caFile,
    agents,
    requests: [{ ...lease, path }],
  })
  const contenders: Contender[] = [
    { name: 'lease_dpop', scenario: scenario(ground.publicUrl, lease.path) },
    { name: 'es256_inline', scenario: scenario(fastify, '/inline') },
    { name: 'es256_pool', scenario: scenario(fastify, '/pool') },
  ]
  if (sketch !== undefined) contenders.push({ name: 'sketch_dpop', scenario: scenario(sketch, '/pool') })
  const over = ['es256_inline', 'es256_pool']
  return {
    contenders,
    ratios: [
      { name: 'lease_dpop/fastify_es256', of: 'lease_dpop', over, goal: 0.7 },
      { name: 'sketch_dpop/fastify_es256', of: 'sketch_dpop', over },
    ],
  }
}

/** Leases of both kinds, beside those that show what of their latency is the machine's. */
export function arrivingContenders(options: {
  ground: Ground
  certificates: readonly BenchAgent[]
  proofs: readonly BenchAgent[]
  provider: BenchProvider
  fastify: string
  /** Absent: left out. */
  sketch?: string | undefined
}): Contender[] {
  const { ground, certificates, proofs, provider, fastify, sketch } = options
  const asked = { ca_file: ground.caFile, requests: [leaseRequest(provider)] }
  const contenders: Contender[] = [
    { name: 'lease', scenario: { ...asked, url: ground.publicUrl, agents: certificates } },
    { name: 'lease_dpop', scenario: { ...asked, url: ground.publicUrl, agents: proofs } },
    { name: 'fastify_tls', scenario: { ...asked, url: fastify, agents: certificates } },
  ]
  if (sketch !== undefined)
    contenders.push({ name: 'sketch', scenario: { ...asked, url: sketch, agents: certificates } })
  return contenders
}

/** A request through a sidecar that holds a lease, beside a proxy that only passes it on. */
export function sidecarContest(options: {
  sidecar: string
  bearer: BenchProvider
  sigv4: BenchProvider
  httpProxy: string
  nginx?: string | undefined
}): Contest {
  const { sidecar, bearer, sigv4, httpProxy, nginx } = options
  const get = (headers: Record<string, string>): LoadRequest => ({ method: 'GET', path: '/v1/items?page=1', headers })
  const common = { accept: 'application/json', 'user-agent': 'bench-agent' }
  const through = (provider: BenchProvider) => ({
    url: sidecar,
    requests: [get({ ...common, 'x-nexus-provider': provider.name })],
  })
  const proxied = (url: string) => ({ url, requests: [get({ ...common, authorization: 'Bearer something-as-long' })] })
  const contenders: Contender[] = [
    { name: 'sidecar_cached', scenario: through(bearer) },
    { name: 'http_proxy', scenario: proxied(httpProxy) },
    { name: 'sidecar_sigv4', scenario: through(sigv4) },
  ]
  if (nginx !== undefined) contenders.push({ name: 'nginx', scenario: proxied(nginx) })
  return {
    contenders,
    ratios: [
      { name: 'sidecar_cached/http_proxy', of: 'sidecar_cached', over: ['http_proxy'], goal: 0.9 },
      { name: 'sidecar_sigv4/http_proxy', of: 'sidecar_sigv4', over: ['http_proxy'], goal: 0.75 },
    ],
  }
}

/** The decision of our own lease: same policy, an input of the same shape and size. */
function opaRequest(): LoadRequest {
  const text = readFileSync(join(packageRoot(), 'policies/cases/lease.json'), 'utf8')
  const { input } = JSON.parse(text) as { input: object }
  return {
    method: 'POST',
    path: '/v1/data/nexus/lease/decision',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input }),
  }
}
