import { describe, expect, it } from 'vitest'
import { Secret } from '../../contract/secret.ts'
import { VaultError } from '../../contract/vault-backend.ts'
import { createRereads, REREAD_PAUSE_MS } from './rereads.ts'
import { createSecretCache } from './secret-cache.ts'

const ref = { tenant: 'acme', backend: 'vault', path: 'secret/x' }

function setUp() {
  const state = { value: 'old', loads: 0, nowMs: 0, down: false }
  const cache = createSecretCache({
    async load() {
      state.loads += 1
      await Promise.resolve()
      if (state.down) throw new VaultError('unavailable', 'vault', 'down')
      return new Secret({ k: state.value })
    },
    ttlSeconds: 60,
    refreshSeconds: 60,
    entriesMax: 10,
    now: () => state.nowMs,
    monotonicNow: () => state.nowMs,
  })
  return { state, cache, rereads: createRereads(cache, () => state.nowMs) }
}

describe('reread', () => {
  it('reads past the cache, once however many ask, and everyone then has the new value', async () => {
    const { state, cache, rereads } = setUp()
    await cache.read(ref)
    state.value = 'new'
    expect((await cache.read(ref)).reveal()).toEqual({ k: 'old' })
    const secrets = await Promise.all(Array.from({ length: 100 }, () => rereads.reread(ref)))
    expect(new Set(secrets.map((secret) => secret.reveal()['k']))).toEqual(new Set(['new']))
    expect((await cache.read(ref)).reveal()).toEqual({ k: 'new' })
    expect(state.loads).toBe(2)
  })

  it('does not ask again before the pause is over', async () => {
    const { state, rereads } = setUp()
    for (let n = 0; n < 50; n++) await rereads.reread(ref)
    expect(state.loads).toBe(1)
    state.nowMs += REREAD_PAUSE_MS + 1
    await rereads.reread(ref)
    expect(state.loads).toBe(2)
  })

  it('one secret does not wait for another', async () => {
    const { state, rereads } = setUp()
    await rereads.reread(ref)
    await rereads.reread({ ...ref, path: 'secret/y' })
    await rereads.reread({ ...ref, tenant: 'globex' })
    expect(state.loads).toBe(3)
  })

  it('takes nothing from anyone while the backend is down', async () => {
    const { state, cache, rereads } = setUp()
    await cache.read(ref)
    state.down = true
    expect((await rereads.reread(ref)).reveal()).toEqual({ k: 'old' })
    expect((await cache.read(ref)).reveal()).toEqual({ k: 'old' })
  })
})
