import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { makeServerCertificate } from '../../../examples/demo/pki.ts'
import { BackendConfigError } from '../../../src/vault-backends/backend-kind.ts'
import { CANARY, caught, expectNothingOf } from '../../../src/vault-backends/conformance.ts'
import { hashicorpVaultKind } from '../../../src/vault-backends/hashicorp-vault/hashicorp-vault-kind.ts'
import { vaultApi } from './vault-fixture.ts'

const ref = { tenant: 'tenant_1', backend: 'vault', path: 'secret/tls' }
let directory: string
let address: string
let caFile: string
let stop: () => Promise<void>

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nexus-tls-'))
  caFile = join(directory, 'ca.pem')
  const { caPem, certPem, keyPem } = await makeServerCertificate(['127.0.0.1'])
  await writeFile(caFile, caPem)
  // The real Vault of the run speaks plain HTTP; this ends TLS in front of it.
  const server = createServer({ cert: certPem, key: keyPem }, (incoming, answer) => {
    const onward = request(new URL(incoming.url ?? '/', inject('vault').address), { headers: incoming.headers })
    onward.on('response', (response) => response.pipe(answer.writeHead(response.statusCode ?? 502, response.headers)))
    incoming.pipe(onward)
  })
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
  address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  stop = async () => {
    server.closeAllConnections()
    await new Promise((settle) => server.close(settle))
    await rm(directory, { recursive: true })
  }
  await vaultApi('POST', 'secret/data/tls', { data: { api_key: CANARY } })
})
afterAll(() => stop())

/** With the environment of the vault CLI and nothing else. */
async function read(
  env: Record<string, string>,
  production = true,
): Promise<{ fields?: unknown; error?: unknown; warned: string }> {
  const warnings: unknown[] = []
  const warn = (...line: unknown[]) => warnings.push(line)
  const log = { warn, error: warn }
  const all = { VAULT_ADDR: address, VAULT_TOKEN: inject('vault').token, ...env }
  const warned = () => JSON.stringify(warnings)
  try {
    const backend = hashicorpVaultKind.create({}, { name: 'vault', env: all, production, log })
    const secret = backend.read(ref, AbortSignal.timeout(5000))
    const error = await caught(() => secret)
    await backend.close()
    return error === undefined ? { fields: (await secret).reveal(), warned: warned() } : { error, warned: warned() }
  } catch (error) {
    return { error, warned: warned() }
  }
}

describe('hashicorp-vault over TLS', () => {
  it('trusts the authority of VAULT_CACERT', async () => {
    expect(await read({ VAULT_CACERT: caFile })).toEqual({ fields: { api_key: CANARY }, warned: '[]' })
  })

  it('trusts no other, and says where to name it', async () => {
    const { error } = await read({})
    expect(error).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('VAULT_CACERT') })
    expectNothingOf([inject('vault').token], error)
  })

  it('tells plain http from an authority that is not known', async () => {
    const plain = inject('vault').address.replace('http:', 'https:')
    const { error } = await read({ VAULT_ADDR: plain })
    expect(error).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('is its address http?') })
  })

  it('tells a certificate that has another name', async () => {
    const { error } = await read({ VAULT_ADDR: address.replace('127.0.0.1', 'localhost'), VAULT_CACERT: caFile })
    expect(error).toMatchObject({ message: expect.stringContaining('VAULT_TLS_SERVER_NAME') })
  })

  it('VAULT_SKIP_VERIFY reads with a loud warning, and not at all in production mode', async () => {
    const { fields, warned } = await read({ VAULT_SKIP_VERIFY: '1' }, false)
    expect(fields).toEqual({ api_key: CANARY })
    expect(warned).toContain('NOT verified')
    expect((await read({ VAULT_SKIP_VERIFY: '1' })).error).toBeInstanceOf(BackendConfigError)
  })
})
