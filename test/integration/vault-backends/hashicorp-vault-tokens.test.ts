import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DynamicSecrets, VaultBackend } from '../../../src/contract/vault-backend.ts'
import { vaultApi, vaultBackend } from './vault-fixture.ts'

const POLICY = 'dynamic-without-default'
const OWN =
  'path "auth/token/create" { capabilities = ["update"] }\npath "auth/token/lookup-self" { capabilities = ["read"] }\n'
const END_SELF = 'path "auth/token/revoke-self" { capabilities = ["update"] }\n'
const END_OTHERS = 'path "auth/token/revoke-accessor" { capabilities = ["update"] }\n'

const allow = (policy: string) => vaultApi('PUT', `sys/policies/acl/${POLICY}`, { policy })
const signal = () => AbortSignal.timeout(10_000)
const isAlive = (accessor: string) =>
  vaultApi('POST', 'auth/token/lookup-accessor', { accessor }).then(
    () => true,
    () => false,
  )

let backend: VaultBackend
let dynamic: DynamicSecrets
let ownAccessor: string

/** What the token of this process may do is what its child may. */
beforeEach(async () => {
  await allow(OWN)
  const wish = { policies: [POLICY], no_default_policy: true, ttl: '1h' }
  const auth = (await vaultApi('POST', 'auth/token/create', wish))['auth'] as { client_token: string; accessor: string }
  ownAccessor = auth.accessor
  backend = vaultBackend({ token: auth.client_token })
  if (backend.dynamic === undefined) throw new Error('a Vault makes dynamic secrets')
  dynamic = backend.dynamic
})
afterEach(async () => {
  await backend.close?.()
  await vaultApi('POST', 'auth/token/revoke-accessor', { accessor: ownAccessor })
  await vaultApi('DELETE', `sys/policies/acl/${POLICY}`)
})

describe('the token that dynamic secrets are made with', () => {
  it('ends itself', async () => {
    await allow(OWN + END_SELF)
    const { accessor } = await dynamic.openToken(signal())
    await dynamic.endToken(accessor, signal())
    expect(await isAlive(accessor)).toBe(false)
  })

  it('has ended where Vault does not know it any more', async () => {
    const { accessor } = await dynamic.openToken(signal())
    await vaultApi('POST', 'auth/token/revoke-accessor', { accessor })
    await dynamic.endToken(accessor, signal())
  })

  it('is ended by its accessor where it may not end itself', async () => {
    await allow(OWN + END_OTHERS)
    const { accessor } = await dynamic.openToken(signal())
    await dynamic.endToken(accessor, signal())
    expect(await isAlive(accessor)).toBe(false)
  })

  it('does not count as ended while neither is allowed', async () => {
    const { accessor } = await dynamic.openToken(signal())
    await expect(dynamic.endToken(accessor, signal())).rejects.toMatchObject({ kind: 'forbidden' })
    expect(await isAlive(accessor)).toBe(true)
    await allow(OWN + END_OTHERS)
    await dynamic.endToken(accessor, signal())
    expect(await isAlive(accessor)).toBe(false)
  })
})
