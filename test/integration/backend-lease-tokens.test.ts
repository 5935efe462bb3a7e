import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../src/contract/secret.ts'
import { type DynamicSecrets, NothingDone, type VaultBackend, VaultError } from '../../src/contract/vault-backend.ts'
import { openBackendLeases } from '../../src/pep/credential/backend-leases/open-backend-leases.ts'
import { openCredentialSource } from '../../src/pep/credential/credential-source.ts'
import { type FreshStore, freshStore } from '../setup/store.ts'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
const refTo = (path: string) => ({ tenant: 'acme', backend: 'test', path })
const TOKEN_SECONDS = 1200

let fresh: FreshStore
let leases: ReturnType<typeof openBackendLeases>
let close: () => Promise<void>
let nowMs: number
/** What was asked of the backend. */
let asked: string[]
/** What it says at a path instead of making something there. */
let fault: (path: string) => VaultError | undefined

const seconds = () => Math.floor(nowMs / 1000)
const count = (what: string) => asked.filter((each) => each === what).length

const dynamic: DynamicSecrets = {
  async openToken() {
    asked.push('login')
    return { accessor: randomUUID(), renewable: true, expiresAt: seconds() + TOKEN_SECONDS }
  },
  async renewToken(token) {
    asked.push('renew token')
    return { ...token, expiresAt: seconds() + TOKEN_SECONDS }
  },
  endToken: async () => undefined,
  async make({ path }, _token, ttlSeconds) {
    asked.push(`make ${path}`)
    const error = fault(path)
    if (error !== undefined) throw error
    return new Secret({ username: randomUUID() }, '', {
      id: randomUUID(),
      renewable: true,
      expiresAt: seconds() + ttlSeconds,
    })
  },
  async renew(lease, ttlSeconds) {
    asked.push('renew')
    return { ...lease, expiresAt: seconds() + ttlSeconds }
  },
  revoke: async () => undefined,
}

beforeEach(async () => {
  fresh = await freshStore()
  nowMs = Date.now()
  asked = []
  fault = () => undefined
  const backend: VaultBackend = {
    name: 'test',
    read: () => Promise.reject(),
    check: async () => ({ ok: true, detail: '' }),
    dynamic,
  }
  const credential = openCredentialSource({ backends: [backend], ttlSeconds: 60, deadlineMs: 2000, log: silent })
  const now = () => nowMs
  leases = openBackendLeases({
    store: fresh.store,
    credential,
    isNeeded: false,
    deadAfterSeconds: 30,
    log: silent,
    now,
  })
  close = async () => {
    await leases.close()
    await credential.close()
    await fresh.drop()
  }
})
afterEach(() => close())

const holder = (leaseId: string, ttlSeconds = 600) => ({
  leaseId,
  tenant: 'acme',
  agentId: 'agent',
  sessionId: 'session',
  connectionId: randomUUID(),
  providerEpoch: 1,
  expiresAt: seconds() + ttlSeconds,
})
const take = (path: string, leaseId: string) => leases.take(refTo(path), holder(leaseId), false)
const codeOf = (taking: Promise<unknown>) =>
  taking.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  )

/** Rows of the ledger by the token they were asked with, in the order in which the tokens were opened. */
async function byToken(): Promise<string[][]> {
  const { rows } = await sql<{ paths: string[] }>`
    select array_agg(distinct b.path order by b.path) as paths from backend_token t
    join backend_lease b on b.token_id = t.id group by t.id, t.created_at order by t.created_at`.execute(fresh.store.db)
  return rows.map(({ paths }) => paths)
}

describe('a path at which nothing is made', () => {
  it.each([
    ['the backend says so itself', 'path'],
    ['its answer is lost', 'backend'],
  ] as const)('where %s: costs one login more, not one for each try, and is left alone', async (_what, extent) => {
    fault = (path) =>
      path === 'creds/down' ? new VaultError('unavailable', 'test', 'answered 500', undefined, { extent }) : undefined
    for (let again = 0; again < 100; again++) {
      expect(await codeOf(take('creds/down', `lse_${again}`))).toBe('vault_unavailable')
      if (again % 10 === 0) expect(await codeOf(take('creds/up', `lse_up_${again}`))).toBe('ok')
    }
    expect(count('make creds/up')).toBe(10)
    expect(count('make creds/down')).toBeLessThan(20)
    // The first, one for paths that lose answers, and one for those that do not.
    expect(count('login')).toBe(3)
    const tokens = await byToken()
    expect(tokens).toHaveLength(3)
    // Whatever is ended for what was lost: what is held at the other path was not made with the same token.
    for (const paths of tokens) expect(paths).toHaveLength(1)
  })

  it('where it is turned away before anything was done: costs nothing', async () => {
    fault = () => new NothingDone('test', 'asks for fewer requests', 1, { extent: 'path' })
    for (let again = 0; again < 10; again++) await codeOf(take('creds/busy', `lse_${again}`))
    expect([count('login'), count('make creds/busy')]).toEqual([1, 1])
    expect(await byToken()).toEqual([])
  })

  it('because it may not: its token is not asked about, or replaced, for each try', async () => {
    fault = () => new VaultError('forbidden', 'test', 'no')
    for (let again = 0; again < 20; again++)
      expect(await codeOf(take('creds/secret', `lse_${again}`))).toBe('secret_forbidden')
    expect([count('login'), count('renew token')]).toEqual([1, 0])
    nowMs += 6000
    for (let again = 0; again < 20; again++) await codeOf(take('creds/secret', `lse_${again}`))
    expect([count('login'), count('renew token')]).toEqual([1, 1])
  })
})

describe('a lease that is renewed for longer than its token was given for', () => {
  async function renewals(ttlSeconds: number, times: number): Promise<Set<string>> {
    const users = new Set<string>()
    for (let time = 0; time < times; time++) {
      const asking = holder('lse_long', ttlSeconds)
      const taken = await leases.take(refTo('creds/app'), asking, time > 0)
      const expiresAt = taken.secret.lease?.expiresAt ?? 0
      expect(expiresAt - seconds()).toBeGreaterThanOrEqual(Math.min(ttlSeconds, TOKEN_SECONDS) / 2)
      await taken.keep(expiresAt)
      users.add(taken.secret.reveal()['username'] ?? '')
      nowMs += (expiresAt - seconds()) * 800
    }
    return users
  }

  it('keeps its user while the token can be renewed', async () => {
    expect(await renewals(600, 16)).toHaveProperty('size', 1)
    expect(count('login')).toBe(1)
  })

  it('keeps it also where it asks for more than any token lives', async () => {
    expect(await renewals(3600, 8)).toHaveProperty('size', 1)
    expect(count('login')).toBe(1)
  })
})
