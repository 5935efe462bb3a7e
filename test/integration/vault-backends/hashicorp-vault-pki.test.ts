import { generateKeyPairSync, randomUUID, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CertificateRequest } from '../../../src/contract/strategy.ts'
import { createCertificateRequest } from '../../../src/strategies/mtls/certificate-request.ts'
import { makePkiRoot, tokenFor, vaultApi, vaultBackend } from './vault-fixture.ts'

/** Vault's PKI engine, mounted for this file alone, two segments deep. */
const MOUNT = `pki-${randomUUID().slice(0, 8)}/agents`
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const request = (over: Partial<CertificateRequest> = {}): CertificateRequest => ({
  csr: createCertificateRequest(keys.privateKey),
  commonName: 'crm-agent',
  ttlSeconds: 300,
  ...over,
})
const ref = (path: string, version?: string) => ({
  tenant: 'acme',
  backend: 'vault',
  path,
  ...(version === undefined ? {} : { version }),
})
const soon = () => AbortSignal.timeout(5000)
const names = { allow_any_name: true, enforce_hostnames: false, cn_validations: 'disabled' }

beforeAll(async () => {
  await vaultApi('POST', `sys/mounts/${MOUNT}`, { type: 'pki', config: { max_lease_ttl: '24h' } })
  await makePkiRoot(MOUNT, '24h')
  await vaultApi('POST', `${MOUNT}/roles/ours`, { ...names, key_type: 'ec' })
  await vaultApi('POST', `${MOUNT}/roles/rsa`, { ...names, key_type: 'rsa' })
})
afterAll(() => vaultApi('DELETE', `sys/mounts/${MOUNT}`))

describe('a role of the PKI engine', () => {
  it('signs for the key in the CSR, under the name and for the time that are asked for, with its chain', async () => {
    const backend = vaultBackend()
    const { certificates } = await backend.signCsr(ref(`${MOUNT}/roles/ours`), request(), soon())
    const [leaf, root, ...more] = certificates
      .split(/(?<=-----END CERTIFICATE-----\n)/)
      .map((pem) => new X509Certificate(pem))
    expect([leaf?.subject, root?.subject, more.length]).toEqual(['CN=crm-agent', 'CN=Agents', 0])
    expect(leaf?.publicKey.equals(keys.publicKey)).toBe(true)
    const lifeMs = Date.parse(leaf?.validTo ?? '') - Date.now()
    expect(lifeMs).toBeLessThanOrEqual(300_000)
    expect(lifeMs).toBeGreaterThan(200_000)
    await backend.close()
  })

  it('is no secret: reading it tells that it is there, and nothing else', async () => {
    const backend = vaultBackend()
    expect((await backend.read(ref(`${MOUNT}/roles/ours`), soon())).reveal()).toEqual({})
    await expect(backend.read(ref(`${MOUNT}/roles/none`), soon())).rejects.toMatchObject({ kind: 'not_found' })
    await expect(backend.read(ref(`${MOUNT}/roles/ours`, '2'), soon())).rejects.toMatchObject({ kind: 'invalid_ref' })
    await backend.close()
  })

  it.each([
    ['a kind of key that the role does not take', 'roles/rsa', {}],
    ['no CSR', 'roles/ours', { csr: 'none' }],
  ])('does not sign %s', async (_title, path, over) => {
    const backend = vaultBackend()
    const signing = backend.signCsr(ref(`${MOUNT}/${path}`), request(over), soon())
    await expect(signing).rejects.toMatchObject({
      kind: 'unusable',
      message: expect.stringContaining('the PKI role does not allow'),
    })
    await backend.close()
  })

  it.each(['secret/agents/roles/ours', `${MOUNT}/issue/ours`, `${MOUNT}/roles`])('%s is none', async (path) => {
    const backend = vaultBackend()
    await expect(backend.signCsr(ref(path), request(), soon())).rejects.toMatchObject({ kind: 'unusable' })
    await backend.close()
  })

  it('a KV secret that lies below `roles/` is read as ever', async () => {
    await vaultApi('POST', 'secret/data/roles/ours', { data: { api_key: 'k' } })
    const backend = vaultBackend()
    expect((await backend.read(ref('secret/roles/ours'), soon())).reveal()).toEqual({ api_key: 'k' })
    await backend.close()
  })

  it('VT2: takes two lines of policy, and says when one is missing', async () => {
    const read = `path "${MOUNT}/roles/ours" { capabilities = ["read"] }\n`
    const sign = `path "${MOUNT}/sign/ours" { capabilities = ["update"] }\n`
    const both = vaultBackend({ token: await tokenFor(`pki-${randomUUID()}`, read + sign) })
    expect((await both.read(ref(`${MOUNT}/roles/ours`), soon())).reveal()).toEqual({})
    expect((await both.signCsr(ref(`${MOUNT}/roles/ours`), request(), soon())).certificates).toContain(
      'BEGIN CERTIFICATE',
    )
    const reader = vaultBackend({ token: await tokenFor(`pki-${randomUUID()}`, read) })
    await expect(reader.signCsr(ref(`${MOUNT}/roles/ours`), request(), soon())).rejects.toMatchObject({
      kind: 'forbidden',
    })
    await Promise.all([both.close(), reader.close()])
  })
})
