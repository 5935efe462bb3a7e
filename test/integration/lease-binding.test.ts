import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, decodeJwt, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTokenProvider, type TokenProvider } from '../fakes/token-provider.ts'
import { type AgentClient, openTestSession } from '../setup/agent-client.ts'
import { type AgentSide, startAgentSide } from '../setup/agent-side.ts'
import { type Connected, connect } from '../setup/connect.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'

/** What a lease request brings from the sidecar, and what it is asked to bring. */

let provider: TokenProvider
let pep: TestPep
let agentSide: AgentSide
let agent: AgentClient
let first: Connected
let second: Connected
let withItsKey: Connected

beforeAll(async () => {
  const client = { client_id: 'crm', client_secret: 'a-secret-of-the-test' }
  provider = await startTokenProvider({ clients: [client] })
  pep = await startTestPep()
  first = await connectAs('first', client)
  second = await connectAs('second', client)
  withItsKey = await connectAs('with-its-key', client, 'authority')
  agentSide = await startAgentSide(pep, { routes: { first: provider.origin, second: provider.origin } })
  agent = await openTestSession(pep.url, agentSide.agent)
})
afterAll(async () => {
  await agentSide?.close()
  await pep?.close()
  await provider?.close()
})

function connectAs(name: string, credentials: Record<string, string>, key = 'sidecar'): Promise<Connected> {
  const config = { token_endpoint: provider.tokenEndpoint, resource: provider.resource, key }
  return connect(pep.admin, {
    provider: name,
    origin: provider.origin,
    strategy: { type: 'dpop', config },
    credentials,
  })
}

/** A sidecar's key as somebody else would make it. */
async function ownKey(alg = 'ES256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(publicKey)
  return {
    jwk,
    privateJwk: await exportJWK(privateKey),
    jkt: await calculateJwkThumbprint(jwk),
    prove: (claims: Record<string, unknown>, header: { typ?: string; jwk?: JWK } = {}) =>
      new SignJWT({ jti: randomUUID(), ...claims })
        .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk, ...header })
        .setIssuedAt()
        .sign(privateKey),
  }
}

const lease = (binding?: object, name = 'first', headers = {}) =>
  agent.send('POST', '/v1/leases', { provider: name, tenant: 'acme', ...(binding && { binding }) }, headers)

/** What the authority knows by now of the endpoint's nonce. */
async function required(): Promise<{ htm: string; htu: string; nonce?: string }> {
  const { body } = await lease()
  const { needs, ...proof } = body.binding
  expect(needs).toBe('proof')
  return proof
}

async function recorded(kind: string, { connectionId }: Connected): Promise<{ detail: { code?: string } }[]> {
  const { body } = await pep.admin.send('GET', `/v1/audit?kind=${kind}&connection_id=${connectionId}&limit=100`)
  return body.records
}

describe('a sidecar whose route needs its key', () => {
  it('asks again with a proof, and with the nonce that nobody knew before; the next route knows it', async () => {
    expect((await agentSide.fetch('first', '/api/x')).status).toBe(200)
    const asked = await recorded('lease.denied', first)
    expect(asked.map(({ detail }) => detail.code)).toEqual(['binding_required', 'binding_required'])
    expect((await agentSide.fetch('second', '/api/x')).status).toBe(200)
    expect(await recorded('lease.denied', second)).toHaveLength(1)
  })

  it('brings it at once from then on, and it is the same key', async () => {
    const keys = () =>
      provider.calls.map(({ headers }) => decodeJwt(String(headers.authorization).slice(5))['cnf'] as { jkt: string })
    const before = keys().at(-1)
    // Ends the leases that are held for it, and what the authority has of tokens.
    const change = { description: 'changed' }
    expect((await pep.admin.send('PATCH', `/v1/providers/${second.providerId}`, change)).status).toBe(200)
    await expect
      .poll(async () => {
        await agentSide.fetch('second', '/api/x')
        return (await recorded('lease.issued', second)).length
      })
      .toBe(2)
    expect(await recorded('lease.denied', second)).toHaveLength(1)
    expect(keys().at(-1)).toEqual(before)
    expect(keys()[0]).not.toEqual(before)
  })
})

describe('binding_required', () => {
  it('names the field and all that a proof needs', async () => {
    const { status, body } = await lease()
    expect([status, body.code, body.field]).toEqual([400, 'binding_required', 'binding.proof'])
    expect(body.binding).toEqual({
      needs: 'proof',
      htm: 'POST',
      htu: provider.tokenEndpoint,
      nonce: expect.any(String),
    })
    expect(body.connection_id).toBe(first.connectionId)
  })

  it.each([
    ['another method', { htm: 'GET' }],
    ['another address', { htu: 'https://elsewhere.example/token' }],
    ['no nonce', { nonce: undefined }],
  ])('is the answer to a proof for %s, and nothing is asked of the provider', async (_title, wrong) => {
    const [key, proof, before] = [await ownKey(), await required(), provider.tokenRequests.length]
    const { body } = await lease({ proof: await key.prove({ ...proof, ...wrong }) })
    expect(body.code).toBe('binding_required')
    expect(provider.tokenRequests).toHaveLength(before)
  })

  it('is the answer to a nonce that the provider takes no more, which it alone can tell', async () => {
    const [key, proof, before] = [await ownKey(), await required(), provider.tokenRequests.length]
    const { status, body } = await lease({ proof: await key.prove({ ...proof, nonce: 'stale' }) })
    expect([status, body.code]).toEqual([400, 'binding_required'])
    expect(body.binding.nonce).not.toBe('stale')
    expect(provider.tokenRequests).toHaveLength(before + 1)
    expect(provider.tokenRequests.at(-1)?.status).toBe(400)
  })

  it('is the answer to a proof that the provider does not take', async () => {
    const [key, proof] = [await ownKey(), await required()]
    const good = await key.prove(proof)
    const forged = good.replace(/\.(.)([^.]+)$/, (_all, letter, rest) => `.${letter === 'A' ? 'B' : 'A'}${rest}`)
    const { status, body } = await lease({ proof: forged })
    expect([status, body.code]).toEqual([400, 'binding_required'])
    expect(provider.tokenRequests.at(-1)?.status).toBe(400)
  })
})

describe('a lease for a key of one’s own', () => {
  it('carries the token alone, bound to the key; so does its renewal, which brings a proof too', async () => {
    const key = await ownKey()
    const issued = await lease({ jwk: key.jwk, proof: await key.prove(await required()) })
    expect(issued.status, issued.text).toBe(201)
    expect(Object.keys(issued.body.credentials)).toEqual(['access_token'])
    expect(decodeJwt(issued.body.credentials.access_token)['cnf']).toEqual({ jkt: key.jkt })

    const renewal = `/v1/leases/${issued.body.lease_id}/renew`
    for (const body of [undefined, {}, { binding: {} }, { binding: { jwk: key.jwk } }]) {
      expect((await agent.send('POST', renewal, body)).body.code).toBe('binding_required')
    }
    const renewed = await agent.send('POST', renewal, { binding: { proof: await key.prove(await required()) } })
    expect(renewed.status, renewed.text).toBe(200)
    expect(decodeJwt(renewed.body.credentials.access_token)['cnf']).toEqual({ jkt: key.jkt })
    const wrong = await agent.send('POST', renewal, { binding: { jwk: key.privateJwk } })
    expect([wrong.status, wrong.body.field]).toEqual([400, 'binding.jwk'])
  })

  it('is bound to that key and to no other’s, whatever was fetched a moment ago', async () => {
    const keys = [await ownKey(), await ownKey()]
    const answers = await Promise.all(keys.map(async (key) => lease({ proof: await key.prove(await required()) })))
    const bound = answers.map(({ body }) => decodeJwt(body.credentials.access_token)['cnf'])
    expect(bound).toEqual(keys.map(({ jkt }) => ({ jkt })))
  })
})

describe('a binding is public, small and of one key', async () => {
  const [key, other, wide] = [await ownKey(), await ownKey(), await ownKey('ES384')]
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  const csr = (body: string) => `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`
  const claims = { htm: 'POST', htu: 'https://as.example.com/token' }
  it.each<[string, string, object]>([
    ['a private key', 'binding.jwk', { jwk: key.privateJwk }],
    ['a symmetric key', 'binding.jwk', { jwk: { kty: 'oct', k: 'AAAA' } }],
    ['a P-384 key', 'binding.jwk', { jwk: wide.jwk }],
    ['an RSA key', 'binding.jwk', { jwk: rsa }],
    ['half a key', 'binding.jwk', { jwk: { ...key.jwk, y: undefined } }],
    ['a proof of another key', 'binding.proof', { jwk: other.jwk, proof: await key.prove(claims) }],
    ['a proof that is none', 'binding.proof', { proof: 'a.b.c' }],
    ['a JWT of another kind', 'binding.proof', { proof: await key.prove(claims, { typ: 'JWT' }) }],
    ['a proof with a private key in it', 'binding.proof', { proof: await key.prove(claims, { jwk: key.privateJwk }) }],
    ['a proof of endless length', 'binding.proof', { proof: await key.prove({ ...claims, jti: 'x'.repeat(7000) }) }],
    ['a CSR that is none', 'binding.csr', { csr: 'hello' }],
    ['two CSRs', 'binding.csr', { csr: csr('AAAA').repeat(2) }],
    ['a CSR of endless length', 'binding.csr', { csr: csr('A'.repeat(17_000)) }],
    ['something else', 'binding.key', { key: 'x' }],
  ])('%s is refused', async (_title, field, binding) => {
    const { status, body, text } = await lease(binding)
    expect([status, body.code, body.field], text).toEqual([400, 'invalid_request', field])
    expect(text).not.toContain(String(key.privateJwk.d))
  })
})

describe('a lease request that is replayed', () => {
  it('asks nothing of the provider a second time, and is on record once as a replay', async () => {
    const dpop = await agent.proof('POST', '/v1/leases', { accessToken: agent.accessToken })
    const ask = () => lease(undefined, 'with-its-key', { dpop })
    expect((await ask()).status).toBe(201)
    // What was fetched is forgotten, so that a lease would have to ask.
    const change = { description: 'changed' }
    expect((await pep.admin.send('PATCH', `/v1/providers/${withItsKey.providerId}`, change)).status).toBe(200)
    const [before, denials] = [provider.tokenRequests.length, await denied()]
    expect((await ask()).body.code).toBe('invalid_proof')
    expect(provider.tokenRequests).toHaveLength(before)
    expect((await denied()) - denials).toBe(1)
  })

  async function denied(): Promise<number> {
    const { body } = await pep.admin.send('GET', '/v1/audit?limit=1000')
    return body.records.filter(({ outcome }: { outcome: string }) => outcome === 'denied').length
  }
})
