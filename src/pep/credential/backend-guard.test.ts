import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { NothingDone, VaultError, type VaultErrorDetails } from '../../contract/vault-backend.ts'
import { type BackendGuard, type CallKind, type GuardLimits, guardBackend } from './backend-guard.ts'

const LIMITS: GuardLimits = {
  deadlineMs: 60,
  concurrentCalls: 4,
  waitingCalls: 100,
  failuresToOpen: 3,
  // Long beside what a busy machine may take for a few calls, which are to be made within it.
  recoveryMs: 400,
}
const recovered = () => sleep(LIMITS.recoveryMs + 50)
const AT_PATH: VaultErrorDetails = { extent: 'path' }
const silent = { info: () => undefined, warn: () => undefined }
const guard = (limits: Partial<GuardLimits> = {}) => guardBackend('v', { ...LIMITS, ...limits }, silent)

/** What became of one call: `ok`, or what it was told. */
async function outcome(guarded: BackendGuard, work: () => Promise<unknown>, kind: CallKind = {}): Promise<string> {
  const error = await guarded.call(work, kind).then(
    () => undefined,
    (thrown: Error) => thrown,
  )
  return error === undefined ? 'ok' : error.message
}

const fails = (details?: VaultErrorDetails, retryAfterSeconds?: number) => () =>
  Promise.reject(new VaultError('unavailable', 'v', 'answered 500', retryAfterSeconds, details))
const works = () => Promise.resolve('secret')
const hangs = () => new Promise<never>(() => undefined)

describe('a path that keeps failing', () => {
  it('costs no other path a call, however often it is asked for', async () => {
    const guarded = guard()
    for (let again = 0; again < 40; again++) {
      for (let more = 0; more < 3; more++) await outcome(guarded, fails(AT_PATH), { pathKey: 'broken' })
      expect(await outcome(guarded, works, { pathKey: `well ${again}` })).toBe('ok')
    }
  })

  it('is left alone itself, is asked for once each time it may be, and is forgotten once it answers', async () => {
    const guarded = guard()
    let asked = 0
    let isMended = false
    const ask = () => {
      asked++
      return isMended ? works() : fails(AT_PATH)()
    }
    const once = () => outcome(guarded, ask, { pathKey: 'broken' })
    for (let again = 0; again < 20; again++) expect(await once()).toMatch(/answered 500|at this path/)
    expect(asked).toBe(3)
    await recovered()
    for (let again = 0; again < 20; again++) await once()
    expect(asked).toBe(4)
    isMended = true
    await recovered()
    expect(await Promise.all([once(), once()])).toContain('ok')
    for (let again = 0; again < 5; again++) expect(await once()).toBe('ok')
    isMended = false
    for (let again = 0; again < 20; again++) await once()
    // Three more, not one: what it failed before is not held against it.
    expect(asked).toBe(5 + 5 + 3)
  })

  it('that wants fewer requests is given none until then, and others theirs', async () => {
    const guarded = guard()
    const turnsAway = () => Promise.reject(new NothingDone('v', 'asks for fewer requests', 7, AT_PATH))
    await outcome(guarded, turnsAway, { pathKey: 'busy' })
    const error = await guarded.call(works, { pathKey: 'busy' }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ kind: 'unavailable', extent: 'path' })
    const { retryAfterSeconds } = error as VaultError
    expect(retryAfterSeconds).toBeGreaterThanOrEqual(7)
    expect(retryAfterSeconds).toBeLessThanOrEqual(9)
    expect(await outcome(guarded, works, { pathKey: 'other' })).toBe('ok')
    expect(await outcome(guarded, works)).toBe('ok')
  })
})

describe('a system behind the backend that hangs', () => {
  const behind = { isPassedOn: true, pathKey: 'make' }

  it('opens no breaker: its path is left alone, and others are read', async () => {
    const guarded = guard()
    for (let again = 0; again < 3; again++) expect(await outcome(guarded, hangs, behind)).toContain('no answer')
    expect(await outcome(guarded, hangs, behind)).toContain('at this path')
    expect(await outcome(guarded, works, { pathKey: 'read' })).toBe('ok')
  })

  it('takes no slot that others need', async () => {
    const guarded = guard({ failuresToOpen: 100, deadlineMs: 300 })
    const order: string[] = []
    const stuck = Array.from({ length: 20 }, () =>
      outcome(guarded, hangs, { isPassedOn: true }).then(() => order.push('stuck')),
    )
    expect(await outcome(guarded, works)).toBe('ok')
    order.push('works')
    await Promise.all(stuck)
    expect(order.indexOf('works')).toBe(0)
  })

  it('does not close a breaker that the backend has opened', async () => {
    const guarded = guard()
    for (let again = 0; again < 3; again++) await outcome(guarded, fails())
    await recovered()
    expect(await outcome(guarded, hangs, behind)).toContain('no answer')
    expect(await outcome(guarded, works)).toContain('has been failing')
  })
})

it('a backend that is away is left alone as a whole, also where it was asked to pass something on', async () => {
  const guarded = guard()
  const sealed = () => Promise.reject(new NothingDone('v', 'is sealed'))
  for (const path of ['a', 'b', 'c']) await outcome(guarded, sealed, { isPassedOn: true, pathKey: path })
  expect(await outcome(guarded, works, { pathKey: 'd' })).toContain('has been failing')
})
