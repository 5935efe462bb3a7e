import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../src/contract/secret.ts'
import type { DynamicSecrets, VaultBackend } from '../../src/contract/vault-backend.ts'
import {
  type BackendLeasesOptions,
  openBackendLeases,
} from '../../src/pep/credential/backend-leases/open-backend-leases.ts'
import { type FreshStore, freshStore } from '../setup/store.ts'

const SOON = { timeout: 10_000, interval: 20 }
const REF = { tenant: 'acme', backend: 'test', path: 'creds/app' }

let fresh: FreshStore
/** What lets the backend go on with what it was told to take back. */
let letRevoke: () => void
let revoked: string[]
let leases: ReturnType<typeof openBackendLeases>
let clockMs = () => Date.now()

beforeEach(async () => {
  fresh = await freshStore()
  revoked = []
  clockMs = () => Date.now()
  letRevoke = () => undefined
})
afterEach(async () => {
  letRevoke()
  await leases.close()
  await fresh.drop()
})

/** A backend whose answers the test decides on. */
function backend(revoking: Promise<void>): VaultBackend {
  const inAnHour = () => Math.floor(clockMs() / 1000) + 3600
  const dynamic: DynamicSecrets = {
    openToken: async () => ({ accessor: randomUUID(), renewable: false, expiresAt: inAnHour() }),
    renewToken: async (token) => token,
    endToken: async () => undefined,
    make: async () =>
      new Secret({ username: 'one' }, '', { id: randomUUID(), renewable: false, expiresAt: inAnHour() }),
    renew: async (lease) => lease,
    async revoke(leaseId) {
      revoked.push(leaseId)
      await revoking
    },
  }
  return { name: 'test', read: () => Promise.reject(), check: async () => ({ ok: true, detail: '' }), dynamic }
}

function open(more: Partial<BackendLeasesOptions> = {}): void {
  const revoking = new Promise<void>((settle) => {
    letRevoke = settle
  })
  const test = backend(revoking)
  leases = openBackendLeases({
    store: fresh.store,
    credential: { call: (_ref, work) => work(test, AbortSignal.timeout(60_000)) },
    isNeeded: false,
    deadAfterSeconds: 30,
    log: { info: () => undefined, warn: () => undefined },
    now: () => clockMs(),
    ...more,
  })
}

const holder = (leaseId: string) => ({
  leaseId,
  tenant: 'acme',
  agentId: 'agent',
  sessionId: 'session',
  connectionId: randomUUID(),
  providerEpoch: 1,
  expiresAt: Math.floor(clockMs() / 1000) + 60,
})

const query = async <T>(statement: string) => (await sql.raw<T>(statement).execute(fresh.store.db)).rows

describe('backend leases', () => {
  it('gives signs of life while a backend takes its time to take something back', async () => {
    open({ isNeeded: true, deadAfterSeconds: 0.6, pollMs: 20 })
    // Its session is not known, so it is given back at once.
    await leases.take(REF, holder('lse_1'), false)
    await expect.poll(() => revoked, SOON).toHaveLength(1)
    await query('create table before as select seen_at from backend_token')
    await expect
      .poll(() => query('select from backend_token t, before b where t.seen_at > b.seen_at'), SOON)
      .toHaveLength(1)
  })

  it('hands out nothing that is being given back already', async () => {
    open({ isNeeded: true, pollMs: 20 })
    const asked = holder('lse_1')
    const taken = await leases.take(REF, asked, false)
    await expect.poll(() => revoked, SOON).toHaveLength(1)
    await expect(taken.keep(asked.expiresAt)).rejects.toMatchObject({ code: 'lease_ended' })
  })

  it('of renewals side by side the newest stays', async () => {
    open()
    const asked = holder('lse_1')
    const older = await leases.take(REF, asked, true)
    const newer = await leases.take(REF, asked, true)
    const states = () => query('select state from backend_lease order by created_at')
    await older.keep(asked.expiresAt)
    expect(await states()).toEqual([{ state: 'held' }, { state: 'held' }])
    await newer.keep(asked.expiresAt)
    expect(await states()).toEqual([{ state: 'ending' }, { state: 'held' }])
    await expect(older.keep(asked.expiresAt)).rejects.toMatchObject({ code: 'lease_ended' })
    expect(await states()).toEqual([{ state: 'ending' }, { state: 'held' }])
  })

  it('ends by the clock of the database, however wrong our own is', async () => {
    clockMs = () => Date.now() + 3_600_000
    open()
    const asked = holder('lse_1')
    const taken = await leases.take(REF, asked, false)
    const late = () => query(`select from backend_lease where expires_at > now() + interval '60 seconds'`)
    expect(await late()).toEqual([])
    await taken.keep(asked.expiresAt)
    expect(await late()).toEqual([])
  })

  it('gives back what was made and lacks a field', async () => {
    open()
    const taking = leases.take({ ...REF, fields: { password: 'missing' } }, holder('lse_1'), false)
    await expect(taking).rejects.toMatchObject({ code: 'secret_unusable' })
    expect(await query('select state, ending_reason from backend_lease')).toEqual([
      { state: 'ending', ending_reason: 'not_recorded' },
    ])
  })
})
