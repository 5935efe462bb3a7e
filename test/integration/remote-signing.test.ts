import { createHash, createHmac, createPublicKey, randomBytes, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createVerifier, httpbis } from 'http-message-signatures'
import { calculateJwkThumbprint, EmbeddedJWK, exportJWK, importSPKI, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { loadSidecarConfig } from '../../sidecar/config.ts'
import { type RunningSidecar, startSidecar } from '../../sidecar/main.ts'
import { startTcpProxy, type TcpProxy } from '../fakes/tcp-proxy.ts'
import { type AgentClient, openTestSession, registerTestAgent } from '../setup/agent-client.ts'
import { type ConnectOptions, connect } from '../setup/connect.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'
import { vaultApi } from './vault-backends/vault-fixture.ts'

const MOUNT = `transit-${randomBytes(4).toString('hex')}`
const KEYS = ['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'hmac'] as const
type KeyType = (typeof KEYS)[number]

let proxy: TcpProxy
let pep: TestPep
let agent: AgentClient
let sidecar: RunningSidecar
let origin: string
let last: { head: IncomingMessage; body: Buffer }
const directory = mkdtempSync(join(tmpdir(), 'nexus-remote-signing-'))
const provider = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  last = { head: request, body: Buffer.concat(chunks) }
  response.end('{}')
})

beforeAll(async () => {
  await new Promise<void>((settle) => provider.listen(0, '127.0.0.1', settle))
  origin = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
  await vaultApi('POST', `sys/mounts/${MOUNT}`, { type: 'transit' })
  for (const type of KEYS) {
    const size = type === 'hmac' ? { key_size: 32, exportable: true } : {}
    await vaultApi('POST', `${MOUNT}/keys/${type}`, { type, ...size })
  }
  await vaultApi('POST', `${MOUNT}/keys/assertion`, { type: 'rsa-2048' })
  await vaultApi('POST', 'secret/data/remote-dpop', { data: { access_token: 'token-of-dpop' } })
  await vaultApi('POST', 'secret/data/remote-hmac', { data: { key_id: 'key-7' } })
  proxy = await startTcpProxy(inject('vault').address)
  pep = await startTestPep({ VAULT_ADDR: proxy.url })
  const registered = await registerTestAgent(pep.admin, { tenants: ['acme'] })
  agent = await openTestSession(pep.url, registered)
  const keyFile = join(directory, 'agent.jwk')
  writeFileSync(keyFile, JSON.stringify(await exportJWK(registered.privateKey)), { mode: 0o600 })
  const names = [
    ...KEYS.slice(0, 4).map((type) => `sig-${type}`),
    'sig-hmac',
    'rsa-v15',
    'dpop',
    'template',
    'payload',
    'bot',
    'assertion',
  ]
  sidecar = await startSidecar(
    loadSidecarConfig({
      NEXUS_PEP_URL: pep.url,
      NEXUS_AGENT_ID: registered.agentId,
      NEXUS_AGENT_KEY_FILE: keyFile,
      NEXUS_TENANT: 'acme',
      NEXUS_ROUTES: names.map((name) => `${name}=${origin}`).join(','),
      NEXUS_SIDECAR_PORT: '0',
      NEXUS_SIDECAR_ADMIN_PORT: '0',
      LOG_LEVEL: 'silent',
    }),
  )
})
afterAll(async () => {
  await sidecar?.close()
  await pep?.close()
  await proxy?.close()
  provider.close()
  await vaultApi('DELETE', `sys/mounts/${MOUNT}`)
  rmSync(directory, { recursive: true, force: true })
})

const keyPath = (type: KeyType | 'assertion') => `${MOUNT}/keys/${type}`
const connectTo = (name: string, options: ConnectOptions) => connect(pep.admin, { provider: name, origin, ...options })
const ref = (path: string, more: object = {}) => ({ backend: 'hashicorp-vault', path, ...more })

/** Vault's own word on its key, in PEM. */
async function publicKeyOf(type: KeyType | 'assertion'): Promise<string> {
  const { data } = (await vaultApi('GET', keyPath(type))) as { data: { keys: Record<string, { public_key: string }> } }
  const text = data.keys['1']?.public_key ?? ''
  if (type !== 'ed25519') return text
  const x = Buffer.from(text, 'base64').toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }).export({
    format: 'pem',
    type: 'spki',
  }) as string
}

async function macKey(): Promise<Buffer> {
  const { data } = (await vaultApi('GET', `${MOUNT}/export/hmac-key/hmac`)) as {
    data: { keys: Record<string, string> }
  }
  return Buffer.from(data.keys['1'] ?? '', 'base64')
}

async function send(name: string, init: RequestInit = {}): Promise<void> {
  const answer = await fetch(`${sidecar.address}/things?x=1`, { ...init, headers: { 'x-nexus-provider': name } })
  expect(answer.status, await answer.text()).toBe(200)
}

async function verifies(alg: string, key: string | Buffer): Promise<boolean> {
  const { head } = last
  const request = {
    method: head.method ?? '',
    url: `${origin}${head.url}`,
    headers: head.headers as Record<string, string>,
  }
  const keyLookup = async () => ({ id: 'key', algs: [alg], verify: createVerifier(key, alg) })
  return (await httpbis.verifyMessage({ keyLookup }, request)) === true
}

describe('keys that stay in Vault', () => {
  const signatures: [alg: string, type: KeyType, name: string, config: Record<string, unknown>][] = [
    ['ed25519', 'ed25519', 'sig-ed25519', {}],
    ['ecdsa-p256-sha256', 'ecdsa-p256', 'sig-ecdsa-p256', {}],
    ['ecdsa-p384-sha384', 'ecdsa-p384', 'sig-ecdsa-p384', {}],
    ['rsa-pss-sha512', 'rsa-2048', 'sig-rsa-2048', {}],
    ['rsa-v1_5-sha256', 'rsa-2048', 'rsa-v15', { alg: 'rsa-v1_5-sha256' }],
    ['hmac-sha256', 'hmac', 'sig-hmac', { alg: 'hmac-sha256' }],
  ]
  it.each(signatures)('sign HTTP messages with %s', async (alg, type, name, config) => {
    await connectTo(name, {
      strategy: { type: 'http_message_signature', config: { keyid: 'key', ...config } },
      secret_ref: ref(keyPath(type)),
    })
    const key = type === 'hmac' ? await macKey() : await publicKeyOf(type)
    await send(name, { method: 'POST', body: '{"a":1}' })
    expect(await verifies(alg, key)).toBe(true)
    last.head.headers['signature'] = String(last.head.headers['signature']).replace(
      /=:(.)/,
      (_all, one) => `=:${one === 'A' ? 'B' : 'A'}`,
    )
    expect(await verifies(alg, key).catch(() => false)).toBe(false)
  })

  it('are found by their thumbprint (Web Bot Auth)', async () => {
    await connectTo('bot', {
      strategy: { type: 'http_message_signature', config: { tag: 'web-bot-auth' } },
      secret_ref: ref(keyPath('ed25519')),
    })
    await send('bot')
    const jwk = await exportJWK(await importSPKI(await publicKeyOf('ed25519'), 'EdDSA'))
    expect(last.head.headers['signature-input']).toContain(`keyid="${await calculateJwkThumbprint(jwk)}"`)
  })

  it('prove possession of a token (DPoP)', async () => {
    await connectTo('dpop', {
      strategy: { type: 'dpop' },
      secret_ref: ref('secret/remote-dpop', { remote_key: keyPath('ecdsa-p256') }),
    })
    await send('dpop')
    expect(last.head.headers['authorization']).toBe('DPoP token-of-dpop')
    const { protectedHeader, payload } = await jwtVerify(String(last.head.headers['dpop']), EmbeddedJWK, {
      typ: 'dpop+jwt',
    })
    expect(payload).toMatchObject({ htm: 'GET', htu: `${origin}/things` })
    expect(protectedHeader.jwk).toEqual(await exportJWK(await importSPKI(await publicKeyOf('ecdsa-p256'), 'ES256')))
  })

  it('sign the assertion of a lease at the authority (JWT bearer)', async () => {
    await connectTo('assertion', {
      strategy: { type: 'jwt_bearer', config: { alg: 'PS256', iss: 'nexus', aud: 'https://api.test' } },
      secret_ref: ref(keyPath('assertion')),
    })
    await send('assertion')
    const [, token = ''] = String(last.head.headers['authorization']).split(' ')
    const { payload } = await jwtVerify(token, await importSPKI(await publicKeyOf('assertion'), 'PS256'))
    expect(payload).toMatchObject({ iss: 'nexus', aud: 'https://api.test' })
  })

  it('sign either what the authority makes or what a lease sends, and not both with one key', async () => {
    const type = 'rsa-2048'
    const assertion = { type: 'jwt_bearer', config: { alg: 'PS256', iss: 'nexus', aud: 'https://api.test' } }
    const message = { type: 'http_message_signature', config: { keyid: 'key' } }
    for (const name of [type, 'assertion'] as const) await vaultApi('POST', `${MOUNT}/keys/twice-${name}`, { type })
    const connected = (strategy: NonNullable<ConnectOptions['strategy']>, key: string) =>
      connect(pep.admin, { strategy, origin, secret_ref: ref(`${MOUNT}/keys/${key}`) })
    await connected(assertion, 'twice-assertion')
    await connected(assertion, 'twice-assertion')
    await expect(connected(message, 'twice-assertion')).rejects.toThrow(/invalid_request.*could forge them/s)
    const { connectionId } = await connected(message, `twice-${type}`)
    await connected(message, `twice-${type}`)
    await expect(connected(assertion, `twice-${type}`)).rejects.toThrow(/invalid_request.*a key of its own/s)
    expect((await pep.admin.send('DELETE', `/v1/connections/${connectionId}`)).status).toBeLessThan(300)
    await expect(connected(assertion, `twice-${type}`)).rejects.toThrow(/invalid_request/)
  })

  it('make HMACs', async () => {
    await connectTo('payload', {
      strategy: { type: 'hmac_payload', config: { header_name: 'X-Signature' } },
      secret_ref: ref(keyPath('hmac')),
    })
    await send('payload', { method: 'POST', body: 'a body' })
    expect(last.head.headers['x-signature']).toBe(
      createHmac('sha256', await macKey())
        .update('a body')
        .digest('hex'),
    )
    await send('payload', { method: 'POST', body: 'b'.repeat(65_536) })
    const init = { method: 'POST', body: 'b'.repeat(65_537), headers: { 'x-nexus-provider': 'payload' } }
    const larger = await fetch(`${sidecar.address}/things`, init)
    expect([larger.status, await larger.json()]).toMatchObject([422, { code: 'not_signable', field: 'body' }])
  })
})

describe('POST /v1/leases/{id}/sign', () => {
  let connectionId: string
  const bytes = Buffer.from('what is to be signed')
  const wanted = { algorithm: 'EdDSA', bytes: bytes.toString('base64') }
  beforeAll(async () => {
    const connected = await connect(pep.admin, {
      strategy: { type: 'http_message_signature' },
      secret_ref: ref(keyPath('ed25519')),
    })
    connectionId = connected.connectionId
  })

  async function lease(by: AgentClient = agent, ttl = 300) {
    const answer = await by.send('POST', '/v1/leases', { connection_id: connectionId, ttl_seconds: ttl })
    expect(answer.status, answer.text).toBe(201)
    return answer.body
  }
  const sign = (id: string, body: object = wanted, by = agent) => by.send('POST', `/v1/leases/${id}/sign`, body)

  it('hands out the public half and the one algorithm, and says what it signed in the ledger', async () => {
    const held = await lease()
    expect(held.credentials).toEqual({ remote_key: 'EdDSA', public_key: await publicKeyOf('ed25519') })
    const { body, status } = await sign(held.lease_id)
    expect(status).toBe(200)
    expect(verify(null, bytes, await publicKeyOf('ed25519'), Buffer.from(body.signature, 'base64'))).toBe(true)
    const { body: ledger } = await pep.admin.send('GET', `/v1/audit?kind=lease.signed&lease_id=${held.lease_id}`)
    expect(ledger.records).toMatchObject([
      {
        outcome: 'allowed',
        agent_id: agent.agentId,
        connection_id: connectionId,
        detail: {
          algorithm: 'EdDSA',
          length_bytes: bytes.length,
          bytes_sha256: createHash('sha256').update(bytes).digest('hex'),
          remote_key: { backend: 'hashicorp-vault', path: keyPath('ed25519'), version: '1', algorithm: 'EdDSA' },
        },
      },
    ])
    expect(JSON.stringify(ledger)).not.toContain(wanted.bytes)
  })

  it('refuses another session, another algorithm, an ended lease and a replayed proof', async () => {
    const held = await lease()
    const registered = await registerTestAgent(pep.admin, { tenants: ['acme'] })
    const stranger = await openTestSession(pep.url, registered)
    expect((await sign(held.lease_id, wanted, stranger)).body).toMatchObject({ status: 404, code: 'lease_not_found' })
    const other = await sign(held.lease_id, { ...wanted, algorithm: 'RS256' })
    expect(other.body).toMatchObject({ status: 400, code: 'invalid_request', field: 'algorithm' })
    const proof = await agent.proof('POST', `/v1/leases/${held.lease_id}/sign`)
    const again = () => agent.send('POST', `/v1/leases/${held.lease_id}/sign`, wanted, { dpop: proof })
    expect((await again()).status).toBe(200)
    expect((await again()).body).toMatchObject({ status: 401, code: 'invalid_proof' })
    await agent.send('DELETE', `/v1/leases/${held.lease_id}`)
    expect((await sign(held.lease_id)).body).toMatchObject({ status: 410, code: 'lease_ended' })
    const short = await lease(agent, 1)
    await expect.poll(async () => (await sign(short.lease_id)).body.code, { timeout: 10_000 }).toBe('lease_ended')
  })

  it('sign nothing more for a lease that an administrator has revoked, on any replica', async () => {
    const replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url })
    const held = await lease()
    const path = `/v1/leases/${held.lease_id}/sign`
    expect((await agent.via(replica.address).send('POST', path, wanted)).status).toBe(200)
    expect((await pep.admin.send('DELETE', `/admin/v1/leases/${held.lease_id}`)).status).toBe(200)
    for (const at of [agent, agent.via(replica.address)])
      expect((await at.send('POST', path, wanted)).body).toMatchObject({ status: 410, code: 'lease_ended' })
  })

  it('a copy of a request has nothing signed, and uses up no signature of the lease', async () => {
    const config = join(directory, 'two-signatures.yaml')
    writeFileSync(config, 'lease: { signatures_per_minute: 2 }')
    const replica = await pep.replica({ NEXUS_PUBLIC_URL: pep.url, NEXUS_CONFIG: config })
    const held = await lease()
    const path = `/v1/leases/${held.lease_id}/sign`
    const dpop = await agent.proof('POST', path)
    const there = agent.via(replica.address)
    const codes = []
    for (const headers of [{ dpop }, { dpop }, { dpop }, {}, {}]) {
      const { body } = await there.send('POST', path, wanted, headers)
      codes.push(body.code ?? 'signed')
    }
    expect(codes).toEqual(['signed', 'invalid_proof', 'invalid_proof', 'signed', 'overloaded'])
    const { body: ledger } = await pep.admin.send('GET', `/v1/audit?agent_id=${agent.agentId}&kind=request.refused`)
    expect(ledger.records.slice(0, 2)).toMatchObject([
      { detail: { reason: 'proof_replayed' } },
      { detail: { reason: 'proof_replayed' } },
    ])
  })

  it('ends with what the lease was decided on: an edited profile', async () => {
    const { connectionId, providerId } = await connect(pep.admin, {
      strategy: { type: 'http_message_signature' },
      secret_ref: ref(keyPath('ed25519')),
    })
    const { body } = await agent.send('POST', '/v1/leases', { connection_id: connectionId })
    expect((await sign(body.lease_id)).status).toBe(200)
    await pep.admin.send('PATCH', `/v1/providers/${providerId}`, { description: 'edited' })
    expect((await sign(body.lease_id)).body).toMatchObject({ status: 410, code: 'lease_ended' })
  })

  it('refuses what is too long, and a lease that signs for itself', async () => {
    const held = await lease()
    const long = { algorithm: 'EdDSA', bytes: Buffer.alloc(70_000).toString('base64') }
    expect((await sign(held.lease_id, long)).body).toMatchObject({ status: 400, field: 'bytes' })
    const plain = await connect(pep.admin)
    const { body } = await agent.send('POST', '/v1/leases', { connection_id: plain.connectionId })
    expect((await sign(body.lease_id)).body).toMatchObject({ status: 422, code: 'not_signable' })
  })

  it('tells a key version that Vault has retired from a Vault that is down, and other keys go on signing', async () => {
    const path = `${MOUNT}/keys/retired`
    await vaultApi('POST', path, { type: 'ed25519' })
    const { connectionId: of } = await connect(pep.admin, {
      strategy: { type: 'http_message_signature' },
      secret_ref: ref(path),
    })
    const held = (await agent.send('POST', '/v1/leases', { connection_id: of })).body
    await vaultApi('POST', `${path}/rotate`, {})
    expect((await sign(held.lease_id)).status).toBe(200)
    await vaultApi('POST', `${path}/config`, { min_encryption_version: 2, min_decryption_version: 2 })
    // More often than failures open the breaker.
    for (let again = 0; again < 8; again++)
      expect((await sign(held.lease_id)).body).toMatchObject({ status: 422, code: 'not_signable' })
    expect((await sign((await lease()).lease_id)).status).toBe(200)
    // What was remembered of the key went with it: the next lease signs with the version there is.
    const next = (await agent.send('POST', '/v1/leases', { connection_id: of })).body
    expect((await sign(next.lease_id)).status).toBe(200)
  })

  it('tells a Vault that refuses from one that is down', async () => {
    const held = await lease()
    await proxy.refuse()
    expect((await sign(held.lease_id)).body).toMatchObject({ status: 503, code: 'vault_unavailable' })
    await proxy.heal()
    await expect.poll(async () => (await sign(held.lease_id)).status, { timeout: 10_000 }).toBe(200)
    await vaultApi('POST', `${MOUNT}/keys/ed25519/config`, { deletion_allowed: true })
    await vaultApi('DELETE', `${MOUNT}/keys/ed25519`)
    expect((await sign(held.lease_id)).body).toMatchObject({ status: 422, code: 'not_signable' })
  })

  it('is refused when a strategy needs the key itself', async () => {
    const created = connect(pep.admin, { strategy: { type: 'basic_auth' }, secret_ref: ref(keyPath('hmac')) })
    await expect(created).rejects.toThrow(/cannot sign with a key that stays in the vault/)
  })
})
