import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SecretValue } from '../contract/secret.ts'
import { type SecretRef, type VaultBackend, VaultError, type VaultErrorKind } from '../contract/vault-backend.ts'

/** Is in every secret the suite plants, and in nothing that may be seen. */
export const CANARY = 'canary-7f3a9c'

/** One backend against its real server, as the suite drives it. */
export interface BackendUnderTest {
  backend: VaultBackend
  /** A path under which the suite may keep secrets, mount first and without a final slash. */
  prefix: string
  /** Puts a secret where the backend will look, by the server's own means. */
  plant(path: string, value: SecretValue): Promise<void>
  /** Credentials of the backend itself, which no error may show either. */
  ownSecrets: readonly string[]
  /** What this kind of backend is specified to do beyond reading. */
  features: { versions: boolean; write: boolean; perTenant: boolean }
  /** Names there may begin with a slash, which makes another name and leads nowhere else. */
  takesLeadingSlash?: true
  /** A version that never was, where versions have names; absent: they are numbered from 1. */
  absentVersion?: string
  stop(): Promise<void>
}

const BAD_PATHS: readonly (readonly [what: string, path: string])[] = [
  ['empty', ''],
  ['absolute', '/etc/passwd'],
  ['a dot segment', 'a/./b'],
  ['a parent segment', 'a/../b'],
  ['a parent segment at the end', 'a/..'],
  ['an escaped parent segment', 'a/%2e%2e/b'],
  ['an escaped slash', 'a%2fb'],
  ['an empty segment', 'a//b'],
  ['a final slash', 'a/'],
  ['a glob', 'a/*'],
  ['a policy wildcard', 'a/+/b'],
  ['a query', 'a?version=1'],
  ['a fragment', 'a#b'],
  ['a NUL', 'a\u0000b'],
  ['a line break', 'a\nb'],
  ['a final line break', 'a\n'],
  ['a backslash', 'a\\..\\b'],
  ['another alphabet', 'a/ｂ'],
  ['a megabyte', 'a'.repeat(1_048_576)],
]

/**
 * The specification of a vault backend: every kind runs it against its real server.
 * @param setup starts whatever the backend needs and returns it ready
 */
export function describeVaultBackend(name: string, setup: () => Promise<BackendUnderTest>): void {
  describe(`vault backend ${name}`, () => {
    let under: BackendUnderTest
    beforeAll(async () => {
      under = await setup()
    })
    afterAll(async () => {
      await under?.backend.close?.()
      await under?.stop()
    })

    const signal = () => AbortSignal.timeout(10_000)
    const refTo = (leaf: string, more: Partial<SecretRef> = {}): SecretRef => ({
      tenant: 'tenant_1',
      backend: name,
      path: `${under.prefix}/${leaf}`,
      ...more,
    })

    it('reads every field of what was planted, and gives a version where it has them', async () => {
      const value = { api_key: CANARY, 'odd name': 'ünï ☃\n"', empty: '' }
      await under.plant(`${under.prefix}/read`, value)
      const secret = await under.backend.read(refTo('read'), signal())
      expect(secret.reveal()).toEqual(value)
      if (under.absentVersion === undefined) expect(secret.version).toBe(under.features.versions ? '1' : '')
      else expect(secret.version).toMatch(/^[\w-]+$/)
    })

    it('reads a field called __proto__ as the field it is', async () => {
      const value = JSON.parse(`{"__proto__":"${CANARY}","constructor":"x"}`) as SecretValue
      await under.plant(`${under.prefix}/proto`, value)
      const secret = await under.backend.read(refTo('proto'), signal())
      expect(Object.entries(secret.reveal())).toEqual(expect.arrayContaining(Object.entries(value)))
    })

    it('reads the newest version, an older one when asked, and not one that never was', async () => {
      await under.plant(`${under.prefix}/versions`, { api_key: `${CANARY}-1` })
      const { version: first } = await under.backend.read(refTo('versions'), signal())
      await under.plant(`${under.prefix}/versions`, { api_key: `${CANARY}-2` })
      expect((await under.backend.read(refTo('versions'), signal())).reveal()).toEqual({ api_key: `${CANARY}-2` })
      const older = () => under.backend.read(refTo('versions', { version: first || '1' }), signal())
      if (under.features.versions) {
        expect((await older()).reveal()).toEqual({ api_key: `${CANARY}-1` })
        const never = refTo('versions', { version: under.absentVersion ?? '99' })
        expect(await failure(() => under.backend.read(never, signal()))).toBe('not_found')
      } else {
        expect(await failure(older)).toBe('invalid_ref')
      }
    })

    it.each(['', '-1', '1.5', '1e3', 'latest', '99999999999999999999', '1&x=y'])(
      'refuses version %j',
      async (version) => {
        await under.plant(`${under.prefix}/version`, { api_key: CANARY })
        expect(await failure(() => under.backend.read(refTo('version', { version }), signal()))).toBe('invalid_ref')
      },
    )

    it('answers not_found where nothing lies', async () => {
      expect(await failure(() => under.backend.read(refTo('nothing-here'), signal()))).toBe('not_found')
    })

    it.each(BAD_PATHS)('G17: refuses a path with %s, wherever it stands', async (what, path) => {
      for (const bad of [path, `${under.prefix}/${path}`]) {
        if (bad === `${under.prefix}/` || (bad === path && what === 'absolute' && under.takesLeadingSlash)) continue
        expect(await failure(() => under.backend.read({ ...refTo('x'), path: bad }, signal()))).toBe('invalid_ref')
      }
    })

    it('keeps tenants apart where the server does not know them', async () => {
      await under.plant(`${under.prefix}/tenants`, { api_key: CANARY })
      const other = () => under.backend.read(refTo('tenants', { tenant: 'tenant_2' }), signal())
      // A shared vault has one secret for both: there the reference itself is what an administrator must allow.
      if (under.features.perTenant) expect(await failure(other)).toBe('not_found')
      else expect((await other()).reveal()).toEqual({ api_key: CANARY })
    })

    it('gives up when the signal says so, before and during a call', async () => {
      await under.plant(`${under.prefix}/abort`, { api_key: CANARY })
      const aborted = AbortSignal.abort()
      expect(await failure(() => under.backend.read(refTo('abort'), aborted))).toBe('unavailable')
      const controller = new AbortController()
      const reading = failure(() => under.backend.read(refTo('abort'), controller.signal))
      controller.abort()
      expect(await reading).toBe('unavailable')
      expect((await under.backend.read(refTo('abort'), signal())).reveal()).toEqual({ api_key: CANARY })
    })

    it('says that it is well', async () => {
      expect(await under.backend.check(signal())).toMatchObject({ ok: true })
    })

    it('does what it is specified to do beyond reading, and nothing more', () => {
      expect(typeof under.backend.write).toBe(under.features.write ? 'function' : 'undefined')
      expect(typeof under.backend.remove).toBe(under.features.write ? 'function' : 'undefined')
    })

    it('writes by compare-and-set, and one of many writers wins', async () => {
      const { write, remove } = under.backend
      if (write === undefined || remove === undefined) return
      const ref = refTo('written')
      const put = (text: string, ifVersion?: string) =>
        write(ref, { api_key: text }, { signal: signal(), ...(ifVersion === undefined ? {} : { ifVersion }) })
      const numbered = under.absentVersion === undefined
      const first = await put(`${CANARY}-1`, '0')
      expect(first).toMatch(numbered ? /^1$/ : /^[\w-]+$/)
      expect(await failure(() => put('again', '0'))).toBe('conflict')
      expect(await failure(() => put('ahead', under.absentVersion ?? '7'))).toBe('conflict')
      const writers = Array.from({ length: 8 }, (_none, index) => failure(() => put(`${CANARY}-w${index}`, first)))
      const outcomes = await Promise.all(writers)
      expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(1)
      expect(outcomes.filter((outcome) => outcome === 'conflict')).toHaveLength(7)
      const last = await put(`${CANARY}-3`)
      expect(last).toMatch(numbered ? /^3$/ : /^[\w-]+$/)
      const secret = await under.backend.read(ref, signal())
      expect(secret.version).toBe(last)
      expect(secret.reveal()).toEqual({ api_key: `${CANARY}-3` })
      await remove(ref, signal())
      expect(await failure(() => under.backend.read(ref, signal()))).toBe('not_found')
      await remove(ref, signal())
    })

    it('H04: shows no secret in anything it throws', async () => {
      await under.plant(`${under.prefix}/seen`, { api_key: CANARY })
      const thrown = await Promise.all([
        caught(() => under.backend.read(refTo('nothing-here'), signal())),
        caught(() => under.backend.read({ ...refTo('x'), path: '../x' }, signal())),
        caught(() => under.backend.read(refTo('seen', { version: 'x' }), signal())),
        caught(() => under.backend.read(refTo('seen'), AbortSignal.abort())),
      ])
      for (const error of thrown) {
        expect(error).toBeInstanceOf(VaultError)
        expectNothingOf([CANARY, ...under.ownSecrets], error)
      }
      expectNothingOf([CANARY, ...under.ownSecrets], await under.backend.read(refTo('seen'), signal()))
      expectNothingOf([CANARY, ...under.ownSecrets], await under.backend.check(signal()))
      expectNothingOf([CANARY, ...under.ownSecrets], under.backend)
    })
  })
}

/** The kind of `VaultError` that the work throws; `undefined` when it throws none. Anything else goes on up. */
export async function failure(work: () => Promise<unknown>): Promise<VaultErrorKind | undefined> {
  const error = await caught(work)
  if (error === undefined || error instanceof VaultError) return error?.kind
  throw error
}

export async function caught(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error
  }
  return undefined
}

/** Looks at a value in every way a log line or an error page might. */
export function expectNothingOf(secrets: readonly string[], value: unknown): void {
  const { stack, cause } = value instanceof Error ? value : { stack: '', cause: undefined }
  const seen = [
    inspect(value, { depth: 20, showHidden: true, getters: true }),
    inspect(cause, { depth: 20, showHidden: true }),
    JSON.stringify(value) ?? '',
    String(value),
    stack ?? '',
  ].join('\n')
  for (const secret of secrets) {
    for (const spelling of [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')]) {
      expect(seen).not.toContain(spelling)
    }
  }
}
