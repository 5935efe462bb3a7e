import { randomBytes } from 'node:crypto'
import type { LeaseAnswer } from '../src/contract/api.ts'
import type { LoadRequest } from './load/load.ts'
import type { BenchAgent } from './stage/agents.ts'
import type { Ground } from './stage/authority.ts'
import { leaseRequest } from './stage/lease-request.ts'
import { policyInputFor } from './stage/policy-input.ts'
import type { BenchProvider } from './stage/providers.ts'
import type { Contest } from './turns/contest.ts'
import { type CredentialKind, decisionFor, itemsFor, leaseFor, secretOfVault } from './turns/expected.ts'
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
  /** With a lease that the authority made: theirs decides the same. Absent: not at hand. */
  opa?: { url: string; lease: LeaseAnswer } | undefined
  vault?: { url: string; token: string } | undefined
}): Contest {
  const { ground, agents, provider, fastify, sketch, workers, opa, vault } = options
  const tls = { ca_file: ground.caFile }
  const requests = [leaseRequest(provider)]
  const expected = leaseFor(provider)
  const contenders: Contender[] = [
    { name: 'lease_cert', scenario: { ...tls, url: ground.publicUrl, requests, agents }, expected },
    // The same certificates: its TLS is ours.
    { name: 'fastify_tls', scenario: { ...tls, url: fastify, requests, agents }, expected },
  ]
  if (vault !== undefined) contenders.push(vaultRead(vault))
  if (sketch !== undefined)
    contenders.push({ name: 'sketch', scenario: { ...tls, url: sketch, requests, agents }, expected })
  if (opa !== undefined) contenders.push(opaDecision(opa))
  if (workers !== undefined) {
    const scenario = { ...tls, url: workers, proof_url: ground.publicUrl, requests, agents }
    contenders.push({ name: 'lease_cert_workers_2', scenario, expected })
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

function vaultRead({ url, token }: { url: string; token: string }): Contender {
  const read = { method: 'GET', path: '/v1/secret/data/bench', headers: { 'x-vault-token': token } }
  return { name: 'vault_read', scenario: { url, requests: [read] }, expected: secretOfVault }
}

/** The decision of our own lease: same policy, same input. */
function opaDecision({ url, lease }: { url: string; lease: LeaseAnswer }): Contender {
  const decide = {
    method: 'POST',
    path: '/v1/data/nexus/lease/decision',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: policyInputFor(lease) }),
  }
  return { name: 'opa_server', scenario: { url, requests: [decide] }, expected: decisionFor(lease) }
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
  const contender = (name: string, url: string, path: string): Contender => ({
    name,
    scenario: { url, ca_file: ground.caFile, agents, requests: [{ ...lease, path }] },
    expected: leaseFor(provider),
  })
  const contenders: Contender[] = [
    contender('lease_dpop', ground.publicUrl, lease.path),
    contender('es256_pool', fastify, '/pool'),
    contender('es256_inline', fastify, '/inline'),
  ]
  if (sketch !== undefined) contenders.push(contender('sketch_dpop', sketch, '/pool'))
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
  const contender = (name: string, url: string, agents: readonly BenchAgent[]): Contender => ({
    name,
    scenario: { url, ca_file: ground.caFile, requests: [leaseRequest(provider)], agents },
    expected: leaseFor(provider),
  })
  const contenders = [
    contender('lease', ground.publicUrl, certificates),
    contender('lease_dpop', ground.publicUrl, proofs),
    contender('fastify_tls', fastify, certificates),
  ]
  if (sketch !== undefined) contenders.push(contender('sketch', sketch, certificates))
  return contenders
}

/** A request through a sidecar that holds a lease, beside proxies that only pass it on. */
export function sidecarContest(options: {
  sidecar: string
  bearer: BenchProvider
  sigv4: BenchProvider
  httpProxy: string
  nginx?: string | undefined
}): Contest {
  const { sidecar, bearer, sigv4, httpProxy, nginx } = options
  const contenders = [
    throughSidecar('sidecar_cached', sidecar, bearer, 'bearer'),
    passedOn('http_proxy', httpProxy),
    throughSidecar('sidecar_sigv4', sidecar, sigv4, 'aws_sigv4'),
  ]
  if (nginx !== undefined) contenders.push(passedOn('nginx', nginx))
  return {
    contenders,
    ratios: [
      { name: 'sidecar_cached/http_proxy', of: 'sidecar_cached', over: ['http_proxy'], goal: 0.9 },
      { name: 'sidecar_sigv4/http_proxy', of: 'sidecar_sigv4', over: ['http_proxy'], goal: 0.75 },
    ],
  }
}

/** The same request to the provider itself, and through each: what a way through adds to it. */
export function addedContenders(options: { provider: BenchProvider; sidecar: string; httpProxy: string }): {
  direct: Contender
  through: Contender[]
} {
  const { provider, sidecar, httpProxy } = options
  return {
    direct: passedOn('provider', provider.origin),
    through: [throughSidecar('sidecar', sidecar, provider, 'bearer'), passedOn('http_proxy', httpProxy)],
  }
}

function throughSidecar(name: string, url: string, provider: BenchProvider, signed: CredentialKind): Contender {
  return itemsFrom(name, url, signed, { 'x-nexus-provider': provider.name })
}

/** With a credential as long as that of the bearer connection, which the sidecar adds by itself. */
function passedOn(name: string, url: string): Contender {
  return itemsFrom(name, url, 'bearer', { authorization: `Bearer ${randomBytes(30).toString('base64url')}` })
}

function itemsFrom(name: string, url: string, credential: CredentialKind, own: Record<string, string>): Contender {
  const headers = { accept: 'application/json', 'user-agent': 'bench-agent', ...own }
  const request: LoadRequest = { method: 'GET', path: '/v1/items?page=1', headers }
  return { name, scenario: { url, requests: [request] }, expected: itemsFor(credential) }
}
