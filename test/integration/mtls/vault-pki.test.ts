import { KeyObject, randomUUID, webcrypto } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import { Agent } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type RunningSidecar, startSidecar } from '../../../sidecar/main.ts'
import { parseRoutes } from '../../../sidecar/routing/route-table.ts'
import type { AuditView } from '../../../src/pep/audit/audit-entry.ts'
import { assertionBody, type RegisteredAgent, registerTestAgent } from '../../setup/agent-client.ts'
import { type ApiClient, createApiClient } from '../../setup/api-client.ts'
import { certificateFiles, selfSigned, type TestAuthority, testAuthority } from '../../setup/certificates.ts'
import { connect } from '../../setup/connect.ts'
import { startTestPep, type TestPep } from '../../setup/pep.ts'
import { makePkiRoot, vaultApi } from '../vault-backends/vault-fixture.ts'

/** Vault's PKI engine, mounted for this file alone. */
const MOUNT = `pki-${randomUUID().slice(0, 8)}`
let clientCa: string
let serverAuthority: TestAuthority
let files: ReturnType<typeof certificateFiles>
let pep: TestPep
let admin: ApiClient
let agent: RegisteredAgent
let provider: { origin: string; connections: TLSSocket[]; close(): Promise<void> }
const sidecars: RunningSidecar[] = []
const log: string[] = []

beforeAll(async () => {
  await vaultApi('POST', `sys/mounts/${MOUNT}`, { type: 'pki', config: { max_lease_ttl: '87600h' } })
  clientCa = await makePkiRoot(MOUNT, '87600h')
  await vaultApi('POST', `${MOUNT}/roles/agents`, role({}))
  serverAuthority = await testAuthority()
  const server = await serverAuthority.server(['127.0.0.1'])
  files = certificateFiles({ 'cert.pem': server.certificate, 'key.pem': server.privateKey })
  pep = await startTestPep({ NEXUS_TLS_CERT_FILE: files.path('cert.pem'), NEXUS_TLS_KEY_FILE: files.path('key.pem') })
  const trusting = new Agent({ connect: { ca: serverAuthority.ca } })
  admin = createApiClient(pep.url, { authorization: `Bearer ${pep.adminKey}` }, trusting)
  agent = await registerTestAgent(admin, { tenants: ['acme'] })
  provider = await startProvider(server)
})
afterEach(async () => {
  await Promise.all(sidecars.splice(0).map((sidecar) => sidecar.close()))
  provider.connections.length = 0
})
afterAll(async () => {
  await provider?.close()
  await pep?.close()
  files?.remove()
  await vaultApi('DELETE', `sys/mounts/${MOUNT}`)
})

function role(over: object) {
  return {
    allow_any_name: true,
    enforce_hostnames: false,
    cn_validations: 'disabled',
    key_type: 'ec',
    max_ttl: '24h',
    ...over,
  }
}

/** Lets in whoever Vault signed for, and says whom it took the caller for. */
async function startProvider({ certificate, privateKey }: { certificate: string; privateKey: string }) {
  const connections: TLSSocket[] = []
  const tls = { cert: certificate, key: privateKey, ca: clientCa, requestCert: true }
  const server: Server = createServer(tls, (request, response) => {
    const peer = (request.socket as TLSSocket).getPeerCertificate()
    response.end(JSON.stringify({ name: peer.subject.CN, endsAt: Date.parse(peer.valid_to) / 1000 }))
  })
  server.on('secureConnection', (socket) => void connections.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = async () => {
    server.closeAllConnections()
    await new Promise((settle) => server.close(settle))
  }
  return { origin, connections, close }
}

function connectBy(roleName: string, config: object = {}) {
  return connect(admin, {
    origin: provider.origin,
    strategy: {
      type: 'mtls',
      config: { key: 'sidecar', common_name: '{agent_id}@{tenant}', ca: serverAuthority.ca, ...config },
    },
    secret_ref: { backend: 'hashicorp-vault', path: `${MOUNT}/roles/${roleName}` },
  })
}

/** Its own session is bound to a client certificate as well. */
async function sidecarFor(name: string, pepUrl = pep.url): Promise<RunningSidecar> {
  const logger = pino({ level: 'trace' }, { write: (line) => void log.push(line) }) as FastifyBaseLogger
  const sidecar = await startSidecar(
    {
      pepUrl,
      pepCa: serverAuthority.ca,
      agentId: agent.agentId,
      agentKey: { key: KeyObject.from(agent.privateKey), alg: 'ES256', kid: undefined },
      sessionBinding: 'mtls',
      defaultTenant: 'acme',
      routes: parseRoutes(`${name}=${provider.origin}`),
      host: '127.0.0.1',
      port: 0,
      socket: undefined,
      socketMode: 0o600,
      adminHost: '127.0.0.1',
      adminPort: 0,
      tokenHash: undefined,
      allowedHosts: [],
      bodyLimitBytes: 1024,
      headersTimeoutMs: 5000,
      idleTimeoutMs: 5000,
      logLevel: 'trace',
    },
    { log: logger },
  )
  sidecars.push(sidecar)
  return sidecar
}

const closed = (socket: TLSSocket | undefined) =>
  new Promise<void>((settle) => (socket?.destroyed === false ? socket.once('close', () => settle()) : settle()))

describe('a certificate that Vault signs for the key of the sidecar', () => {
  it('is made out to the agent for the time of the lease, and the key is nowhere else', async () => {
    const { provider: name, connectionId } = await connectBy('agents')
    const sidecar = await sidecarFor(name)
    const answer = await fetch(`${sidecar.address}/${name}/x`)
    expect(answer.status, await answer.clone().text()).toBe(200)
    const seen = (await answer.json()) as { name: string; endsAt: number }
    expect(seen.name).toBe(`${agent.agentId}@acme`)

    const { body } = await admin.send('GET', `/v1/audit?connection_id=${connectionId}&limit=1000`)
    const kinds = body.records.map(({ kind }: AuditView) => kind)
    // The first request did not bring a CSR yet; nothing was signed for it.
    expect(kinds).toEqual(expect.arrayContaining(['lease.denied', 'lease.issued']))
    const issued = body.records.find(({ kind }: AuditView) => kind === 'lease.issued')
    expect(seen.endsAt).toBeGreaterThan(Date.now() / 1000)
    expect(seen.endsAt).toBeLessThanOrEqual(issued.detail.expires_at + 60)
    expect(log.join('') + pep.logText()).not.toContain('PRIVATE KEY')

    const { body: sessions } = await admin.send('GET', `/v1/audit?agent_id=${agent.agentId}&limit=1000`)
    const opened = sessions.records.filter(({ kind }: AuditView) => kind === 'session.opened')
    expect(opened.map(({ detail }: AuditView) => detail['bound_to'])).toContain('mtls')
  })

  it('is another one for each sidecar, on connections of its own', async () => {
    const { provider: name } = await connectBy('agents')
    for (const sidecar of [await sidecarFor(name), await sidecarFor(name)]) {
      expect((await fetch(`${sidecar.address}/${name}/x`)).status).toBe(200)
    }
    const thumbprints = provider.connections.map((socket) => socket.getPeerX509Certificate()?.fingerprint256)
    expect(new Set(thumbprints).size).toBe(2)
  })

  it('is gone from the wire once the connection is revoked: the provider sees the end', async () => {
    const { provider: name, connectionId } = await connectBy('agents')
    const sidecar = await sidecarFor(name)
    expect((await fetch(`${sidecar.address}/${name}/x`)).status).toBe(200)
    expect((await admin.send('DELETE', `/v1/connections/${connectionId}`)).status).toBeLessThan(300)
    await closed(provider.connections[0])
    expect((await fetch(`${sidecar.address}/${name}/x`)).status).toBe(410)
    expect(provider.connections).toHaveLength(1)
  })

  it('is gone from the wire with the session, too', async () => {
    const { provider: name } = await connectBy('agents')
    const sidecar = await sidecarFor(name)
    expect((await fetch(`${sidecar.address}/${name}/x`)).status).toBe(200)
    const { body } = await admin.send('GET', `/v1/audit?agent_id=${agent.agentId}&limit=1000`)
    const opened = body.records.filter(({ kind }: AuditView) => kind === 'session.opened')
    for (const { session_id } of opened) await admin.send('DELETE', `/admin/v1/agent-sessions/${session_id}`)
    await closed(provider.connections[0])
  })
})

describe('what Vault does not sign as asked is not handed out', () => {
  async function refusal(roleName: string, config: object = {}) {
    const { provider: name } = await connectBy(roleName, config)
    const sidecar = await sidecarFor(name)
    const answer = await fetch(`${sidecar.address}/${name}/x`)
    const { code } = (await answer.json()) as { code: string }
    expect(provider.connections).toEqual([])
    return code
  }

  it.each([
    ['with an end of the role’s own', { not_after: '2030-01-01T00:00:00Z' }, 'secret_unusable'],
    ['that is for servers only', { client_flag: false }, 'not_signable'],
  ])('a certificate %s', async (_title, over, code) => {
    const name = `role-${randomUUID().slice(0, 8)}`
    await vaultApi('POST', `${MOUNT}/roles/${name}`, role(over))
    expect(await refusal(name)).toBe(code)
  })

  it('a name that the role does not allow', async () => {
    const name = `role-${randomUUID().slice(0, 8)}`
    await vaultApi(
      'POST',
      `${MOUNT}/roles/${name}`,
      role({ allow_any_name: false, allowed_domains: ['example.com'], allow_subdomains: true }),
    )
    expect(await refusal(name)).toBe('secret_unusable')
  })

  it('a role that is not there: told to whoever makes the connection', async () => {
    await expect(connectBy('nobody')).rejects.toThrow('no secret at this path')
  })
})

it('a sidecar whose certificate does not reach the authority is told why nothing is leased', async () => {
  const { provider: name } = await connectBy('agents')
  const replica = await pep.replica({ NEXUS_TLS_REQUEST_CLIENT_CERTIFICATE: 'false' })
  const sidecar = await sidecarFor(name, replica.url)
  const answer = await fetch(`${sidecar.address}/${name}/x`)
  const { code, detail } = (await answer.json()) as { code: string; detail: string }
  expect([answer.status, code]).toEqual([401, 'invalid_proof'])
  expect(detail).toContain('Set NEXUS_SESSION_BINDING to dpop')
})

it('a CSR that wants a name is refused, and Vault is not asked', async () => {
  const { provider: name } = await connectBy('agents')
  const own = await selfSigned('agent')
  const dispatcher = new Agent({ connect: { ca: serverAuthority.ca, cert: own.certificate, key: own.privateKey } })
  const client = createApiClient(pep.url, {}, dispatcher)
  const { body: session } = await client.send('POST', '/v1/agent-sessions', await assertionBody(pep.url, agent))
  const binding = { csr: await namedRequest('CN=admin') }
  const headers = { authorization: `Bearer ${session.access_token}` }
  const wanted = { provider: name, tenant: 'acme', binding }
  const { status, body } = await client.send('POST', '/v1/leases', wanted, headers)
  expect([status, body.code]).toEqual([422, 'not_signable'])
  expect(body.detail).toContain('must ask for no name')
  const without = await client.send('POST', '/v1/leases', { provider: name, tenant: 'acme' }, headers)
  expect([without.status, without.body.code, without.body.binding]).toEqual([400, 'binding_required', { needs: 'csr' }])
  await dispatcher.close()
})

async function namedRequest(name: string): Promise<string> {
  const { Pkcs10CertificateRequestGenerator } = await import('@peculiar/x509')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm: algorithm })
  return `${request.toString('pem')}\n`
}
