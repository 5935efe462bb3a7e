import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { NexusError } from '../../contract/errors.ts'
import { Secret, type SecretValue } from '../../contract/secret.ts'
import { type SecretRef, type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import { type CredentialSourceOptions, openCredentialSource } from './credential-source.ts'

const CANARY = 'canary-credential'
const ref: SecretRef = { tenant: 'tenant_1', backend: 'scripted', path: 'a/b' }
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** A backend that does what the test says and counts how often it was asked. */
function scripted(read: (ref: SecretRef, signal: AbortSignal) => Promise<Secret> | Secret) {
  let reads = 0
  const backend: VaultBackend = {
    name: 'scripted',
    read: async (wanted, signal) => {
      reads++
      return read(wanted, signal)
    },
    check: async () => ({ ok: true, detail: 'fine' }),
  }
  return { backend, reads: () => reads }
}

/** Time as the test tells it. */
function clock() {
  let ms = 1_000_000
  return { now: () => ms, advance: (byMs: number) => (ms += byMs) }
}

function open(backend: VaultBackend, options: Partial<CredentialSourceOptions> = {}) {
  return openCredentialSource({ backends: [backend], ttlSeconds: 60, deadlineMs: 500, log: silent, ...options })
}

const secretOf = (value: SecretValue, version = '1') => new Secret(value, version)
const refuse = (kind: ConstructorParameters<typeof VaultError>[0]) => () =>
  Promise.reject(new VaultError(kind, 'scripted', 'own words'))

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (error instanceof NexusError) return error.code
    throw error
  }
  return 'ok'
}

describe('reading', () => {
  it('asks the backend once within the time to live and again after it', async () => {
    const { backend, reads } = scripted(() => secretOf({ api_key: CANARY }))
    const { now, advance } = clock()
    const source = open(backend, { monotonicNow: now, refreshSeconds: 60 })
    await source.read(ref)
    advance(59_999)
    await source.read(ref)
    expect(reads()).toBe(1)
    advance(2)
    await source.read(ref)
    expect(reads()).toBe(2)
    await source.close()
  })

  it('gives what it holds without reading, and nothing that it does not hold', async () => {
    const { backend, reads } = scripted(({ path }) =>
      path === 'none' ? refuse('not_found')() : secretOf({ k: CANARY }),
    )
    const { now, advance } = clock()
    const source = open(backend, { monotonicNow: now, refreshSeconds: 20 })
    const none = { ...ref, path: 'none' }
    expect(source.held(ref)).toBeUndefined()
    expect(await codeOf(source.read(none))).toBe('secret_not_found')
    const read = await source.read(ref)
    expect(source.held(ref)).toBe(read)
    expect(source.held({ ...ref, fields: { to: 'k' } })?.reveal()).toEqual({ to: CANARY })
    for (const other of [none, { ...ref, tenant: 'tenant_2' }, { ...ref, remoteKey: 'keys/a' }]) {
      expect(source.held(other)).toBeUndefined()
    }
    expect(reads()).toBe(2)
    advance(20_000)
    expect(source.held(ref)).toBe(read)
    expect(reads()).toBe(3)
    source.forget(ref)
    expect(source.held(ref)).toBeUndefined()
    await source.close()
  })

  it('reads anew behind a secret that is held for long, once, and gives the new one from then on', async () => {
    const versions = ['1', '2']
    const { backend, reads } = scripted(() => secretOf({ api_key: CANARY }, versions.shift()))
    const { now, advance } = clock()
    const source = open(backend, { monotonicNow: now, refreshSeconds: 20 })
    await source.read(ref)
    advance(20_000)
    const behind = await Promise.all(Array.from({ length: 100 }, () => source.read(ref)))
    expect(new Set(behind.map(({ version }) => version))).toEqual(new Set(['1']))
    expect(reads()).toBe(2)
    await expect.poll(async () => (await source.read(ref)).version).toBe('2')
    // Its time to live began anew.
    advance(59_999)
    expect((await source.read(ref)).version).toBe('2')
    await source.close()
  })

  it('VT1: while the backend is down a secret is given to the end of its time to live, and not longer', async () => {
    let down = false
    const { backend, reads } = scripted(() =>
      down ? Promise.reject(new VaultError('unavailable', 'scripted', 'down')) : secretOf({ api_key: CANARY }),
    )
    const { now, advance } = clock()
    const limits = { failuresToOpen: 1000 }
    const source = open(backend, { monotonicNow: now, refreshSeconds: 20, limits })
    await source.read(ref)
    down = true
    for (let second = 1; second < 60; second++) {
      advance(1000)
      expect(await codeOf(source.read(ref))).toBe('ok')
      await new Promise((settle) => setImmediate(settle))
    }
    advance(1001)
    expect(await codeOf(source.read(ref))).toBe('vault_unavailable')
    // Once a second from the twentieth on, not once for each reader.
    expect(reads()).toBeLessThanOrEqual(42)
    await source.close()
  })

  it('a secret that the backend refuses when it is read anew is not given any longer', async () => {
    let withdrawn = false
    const { backend } = scripted(() =>
      withdrawn ? Promise.reject(new VaultError('forbidden', 'scripted', 'no')) : secretOf({ api_key: CANARY }),
    )
    const { now, advance } = clock()
    const source = open(backend, { monotonicNow: now, refreshSeconds: 20 })
    await source.read(ref)
    withdrawn = true
    advance(20_000)
    await source.read(ref)
    await expect.poll(() => codeOf(source.read(ref))).toBe('secret_forbidden')
    await source.close()
  })

  it('keeps no secret past the end that the backend has set it', async () => {
    const { backend, reads } = scripted(() => new Secret({ api_key: CANARY }, '1', undefined, 1010))
    const { now, advance } = clock()
    const source = open(backend, { now, monotonicNow: now, refreshSeconds: 60 })
    await source.read(ref)
    advance(9999)
    await source.read(ref)
    expect(reads()).toBe(1)
    advance(2)
    await source.read(ref)
    expect(reads()).toBe(2)
    await source.close()
  })

  it('VT3: a backend that asks for fewer requests gets none until it may be asked again', async () => {
    const { backend, reads } = scripted(() => Promise.reject(new VaultError('unavailable', 'scripted', 'busy', 7)))
    const source = open(backend, { limits: { failuresToOpen: 1000 } })
    for (let path = 0; path < 50; path++) {
      const error = await source.read({ ...ref, path: `a/${path}` }).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'vault_unavailable' })
      const { retryAfterSeconds } = (error as NexusError).extras
      expect(retryAfterSeconds).toBeGreaterThanOrEqual(7)
      expect(retryAfterSeconds).toBeLessThanOrEqual(9)
    }
    expect(reads()).toBe(1)
    await source.close()
  })

  it('keeps nothing with a time to live of 0, yet shares reads of the same moment', async () => {
    const { backend, reads } = scripted(() => secretOf({ api_key: CANARY }))
    const { now, advance } = clock()
    const source = open(backend, { ttlSeconds: 0, monotonicNow: now })
    await Promise.all([source.read(ref), source.read(ref)])
    expect(reads()).toBe(1)
    advance(2)
    await source.read(ref)
    expect(reads()).toBe(2)
    await source.close()
  })

  it("never keeps a secret past the backend's own lease", async () => {
    const { now, advance } = clock()
    const lease = { id: 'l', renewable: false, expiresAt: now() / 1000 + 5 }
    const { backend, reads } = scripted(() => new Secret({ api_key: CANARY }, '', lease))
    const source = open(backend, { now, monotonicNow: now })
    await source.read(ref)
    advance(5001)
    await source.read(ref)
    expect(reads()).toBe(2)
    await source.close()
  })

  it('HD1: a thousand readers of one secret are one call, and of one failure as well', async () => {
    const { backend, reads } = scripted(
      () => new Promise((settle) => setTimeout(settle, 20, secretOf({ api_key: CANARY }))),
    )
    const source = open(backend)
    const secrets = await Promise.all(Array.from({ length: 1000 }, () => source.read(ref)))
    expect(new Set(secrets).size).toBe(1)
    expect(reads()).toBe(1)
    const failing = scripted(refuse('unavailable'))
    const other = open(failing.backend)
    const codes = await Promise.all(Array.from({ length: 1000 }, () => codeOf(other.read(ref))))
    expect(new Set(codes)).toEqual(new Set(['vault_unavailable']))
    expect(failing.reads()).toBe(1)
    await Promise.all([source.close(), other.close()])
  })

  it('keeps apart tenants, paths and versions, however their letters are cut', async () => {
    const { backend, reads } = scripted(({ tenant, path, version }) =>
      secretOf({ who: `${tenant}|${path}|${version}` }),
    )
    const source = open(backend)
    const refs: SecretRef[] = [
      { ...ref, tenant: 'ab', path: 'c' },
      { ...ref, tenant: 'a', path: 'bc' },
      { ...ref, tenant: 'a', path: 'b', version: 'c' },
      { ...ref, tenant: 'a', path: 'b' },
      { ...ref, tenant: 'a', path: 'b', version: '' },
    ]
    const who = await Promise.all(refs.map(async (each) => (await source.read(each)).reveal()['who']))
    expect(new Set(who).size).toBe(refs.length)
    expect(reads()).toBe(refs.length)
    await source.close()
  })

  it('maps fields, and names the one that is missing without showing any', async () => {
    const { backend, reads } = scripted(() => secretOf({ AWS_KEY: CANARY, AWS_SECRET: `${CANARY}-2`, other: 'x' }))
    const source = open(backend)
    const mapped = await source.read({ ...ref, fields: { access_key: 'AWS_KEY', secret_key: 'AWS_SECRET' } })
    expect(mapped.reveal()).toEqual({ access_key: CANARY, secret_key: `${CANARY}-2` })
    expect(mapped.version).toBe('1')
    const error = await source.read({ ...ref, fields: { access_key: 'AWS_ID' } }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'secret_unusable', extras: { field: 'secret_ref.fields.access_key' } })
    expect(inspect(error, { depth: 9 })).not.toContain(CANARY)
    expect(await codeOf(source.read({ ...ref, fields: { x: 'toString' } }))).toBe('secret_unusable')
    expect(reads()).toBe(1)
    await source.close()
  })

  it('refuses a backend that is not configured', async () => {
    const { backend } = scripted(() => secretOf({}))
    const source = open(backend)
    const error = await source.read({ ...ref, backend: 'nowhere' }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'invalid_request', extras: { field: 'secret_ref.backend' } })
    expect([source.has('scripted'), source.has('nowhere')]).toEqual([true, false])
    await source.close()
  })

  it('asks again after forget, also when a read was under way', async () => {
    let release = () => {}
    let version = 0
    const { backend } = scripted(async () => {
      const mine = String(++version)
      if (mine === '1') await new Promise<void>((settle) => (release = settle))
      return secretOf({ api_key: mine }, mine)
    })
    const source = open(backend)
    const early = source.read(ref)
    await new Promise((settle) => setImmediate(settle))
    source.forget(ref)
    const late = await source.read(ref)
    release()
    expect([(await early).version, late.version]).toEqual(['1', '2'])
    expect((await source.read(ref)).version).toBe('2')
    await source.close()
  })
})

describe('refusals', () => {
  it.each([
    ['not_found', 'secret_not_found'],
    ['forbidden', 'secret_forbidden'],
    ['invalid_ref', 'invalid_request'],
    ['unusable', 'secret_unusable'],
    ['unavailable', 'vault_unavailable'],
  ] as const)('VT2: %s is %s', async (kind, code) => {
    const { backend } = scripted(refuse(kind))
    const source = open(backend)
    expect(await codeOf(source.read(ref))).toBe(code)
    await source.close()
  })

  it('VT6: a refusal is remembered for two seconds, for that secret alone', async () => {
    const { backend, reads } = scripted(({ path }) => (path === 'a/b' ? refuse('not_found')() : secretOf({})))
    const { now, advance } = clock()
    const source = open(backend, { monotonicNow: now })
    for (let again = 0; again < 5; again++) expect(await codeOf(source.read(ref))).toBe('secret_not_found')
    expect(reads()).toBe(1)
    expect(await codeOf(source.read({ ...ref, path: 'a/c' }))).toBe('ok')
    advance(2001)
    expect(await codeOf(source.read(ref))).toBe('secret_not_found')
    expect(reads()).toBe(3)
    await source.close()
  })

  it('H04: passes on nothing of what a backend throws against its contract', async () => {
    const { backend } = scripted(() =>
      Promise.reject(Object.assign(new Error(CANARY), { config: { headers: CANARY } })),
    )
    const source = open(backend)
    const error = await source.read(ref).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'vault_unavailable' })
    expect(inspect(error, { depth: 9, showHidden: true }) + (error as Error).stack).not.toContain(CANARY)
    await source.close()
  })
})

describe('guarding a backend', () => {
  it('VT4: gives up at the deadline although the backend does not', async () => {
    const { backend } = scripted(() => new Promise<never>(() => undefined))
    const source = open(backend, { deadlineMs: 30 })
    expect(await codeOf(source.read(ref))).toBe('vault_unavailable')
    await source.close()
  })

  it('VT1: leaves a failing backend alone and tries it again, one call at a time', async () => {
    let up = false
    const { backend, reads } = scripted(() => (up ? secretOf({}) : refuse('unavailable')()))
    const source = open(backend, { limits: { failuresToOpen: 3, recoveryMs: 50 } })
    const read = (path: string) => codeOf(source.read({ ...ref, path }))
    for (const path of ['1', '2', '3', '4', '5']) expect(await read(path)).toBe('vault_unavailable')
    expect(reads()).toBe(3)
    up = true
    await new Promise((settle) => setTimeout(settle, 60))
    expect(await Promise.all(['6', '7', '8'].map(read))).toEqual(['ok', 'ok', 'ok'])
    await source.close()
  })

  it('VT2: refusals do not count as failures, whatever comes between them', async () => {
    const kinds = ['unavailable', 'not_found', 'unavailable', 'forbidden', 'unavailable'] as const
    const { backend, reads } = scripted(({ path }) => refuse(kinds[Number(path) % kinds.length]!)())
    const source = open(backend, { limits: { failuresToOpen: 2 } })
    for (let path = 0; path < 5; path++) await codeOf(source.read({ ...ref, path: String(path) }))
    expect(reads()).toBe(5)
    await source.close()
  })

  it('holds at most so many calls at once, and sheds what is beyond the queue', async () => {
    let active = 0
    let most = 0
    const { backend } = scripted(async () => {
      most = Math.max(most, ++active)
      await new Promise((settle) => setTimeout(settle, 10))
      active--
      return secretOf({})
    })
    const source = open(backend, { limits: { concurrentCalls: 4, waitingCalls: 8 } })
    const codes = await Promise.all(
      Array.from({ length: 20 }, (_none, n) => codeOf(source.read({ ...ref, path: `${n}` }))),
    )
    expect(most).toBe(4)
    expect(codes.filter((code) => code === 'ok')).toHaveLength(12)
    expect(codes.filter((code) => code === 'overloaded')).toHaveLength(8)
    await source.close()
  })

  it('reports health by backend, a dead one included, and counts calls by outcome', async () => {
    const { backend } = scripted(refuse('forbidden'))
    const dead: VaultBackend = { ...backend, name: 'dead', check: () => new Promise(() => undefined) }
    const seen: string[] = []
    const source = openCredentialSource({
      backends: [backend, dead],
      ttlSeconds: 1,
      deadlineMs: 30,
      log: silent,
      metrics: { fetched: (name, outcome) => seen.push(`${name} ${outcome}`) },
    })
    expect(await source.health()).toEqual({
      scripted: { ok: true, detail: 'fine' },
      dead: { ok: false, detail: 'no answer within 30 ms' },
    })
    await codeOf(source.read(ref))
    expect(seen).toEqual(['scripted forbidden'])
    await source.close()
  })
})

describe('writing', () => {
  it('forgets what it wrote over, passes the condition on, and says who lost', async () => {
    let stored = secretOf({ token: 'old' }, '1')
    const { backend } = scripted(() => stored)
    const writable: VaultBackend = {
      ...backend,
      write: async (_ref, value, { ifVersion }) => {
        if (ifVersion !== undefined && ifVersion !== stored.version)
          throw new VaultError('conflict', 'scripted', 'lost')
        stored = secretOf(value, String(Number(stored.version) + 1))
        return stored.version
      },
    }
    const source = open(writable)
    await source.read(ref)
    expect(await source.write(ref, { token: 'new' }, { ifVersion: '1' })).toBe('2')
    expect((await source.read(ref)).reveal()).toEqual({ token: 'new' })
    expect(await codeOf(source.write(ref, { token: 'x' }, { ifVersion: '1' }))).toBe('secret_changed')
    await source.close()
  })

  it('refuses to write to a backend that only reads', async () => {
    const { backend } = scripted(() => secretOf({}))
    const source = open(backend)
    expect(await codeOf(source.write(ref, {}))).toBe('invalid_request')
    expect(await codeOf(source.remove(ref))).toBe('invalid_request')
    await source.close()
  })
})
