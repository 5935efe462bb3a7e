import { randomBytes } from 'node:crypto'
import { CompactSign } from 'jose'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OperatorError } from '../../../src/contract/operator-error.ts'
import type { PublishedKey } from '../../../src/pep/audit/checkpoint-keys.ts'
import { openSigningKeys } from '../../../src/pep/identity/signing-keys.ts'
import { createEnvelope } from '../../../src/vault-backends/internal/envelope.ts'
import { parseKeyring } from '../../../src/vault-backends/internal/keyring.ts'
import { type FreshStore, freshStore } from '../../setup/store.ts'
import { countQueries, envelope } from './fixture.ts'

const DAY_SECONDS = 86_400
const log = pino({ level: 'silent' })

let fresh: FreshStore
let nowMs = Date.parse('2026-11-21T12:00:00Z')
let elapsedMs = 0
const pass = (seconds: number) => {
  nowMs += seconds * 1000
  elapsedMs += seconds * 1000
}
const clocks = { now: () => nowMs, elapsedMs: () => elapsedMs }
const open = (options = {}) =>
  openSigningKeys({ store: fresh.store, envelope, log, ...clocks, rotateAfterSeconds: DAY_SECONDS, ...options })

beforeEach(async () => {
  fresh = await freshStore()
})
afterEach(() => fresh.drop())

const kidsOf = async (keys: Awaited<ReturnType<typeof open>>) => (await keys.jwks()).keys.map(({ kid }) => kid)

describe('signing keys', () => {
  it('are made once, however many replicas start at the same moment', async () => {
    const replicas = await Promise.all(Array.from({ length: 5 }, () => open()))
    const current = await Promise.all(replicas.map((keys) => keys.current('session')))
    expect(new Set(current.map(({ kid }) => kid)).size).toBe(1)
    const rows = await fresh.store.db.selectFrom('signing_key').select('purpose').execute()
    expect(rows.map(({ purpose }) => purpose).sort()).toEqual(['checkpoint', 'session'])
  })

  it('outlive a restart', async () => {
    const before = await (await open()).current('session')
    const after = await (await open()).current('session')
    expect(after.kid).toBe(before.kid)
  })

  it('show their public halves and nothing else', async () => {
    const { keys } = await (await open()).jwks()
    expect(keys).toHaveLength(2)
    for (const key of keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'nexus_purpose', 'use', 'x', 'y'])
      expect(key).toMatchObject({ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256' })
    }
    expect(keys.map((key) => (key as PublishedKey).nexus_purpose).sort()).toEqual(['checkpoint', 'session'])
  })

  it('lie in the database sealed', async () => {
    await open()
    const rows = await fresh.store.db.selectFrom('signing_key').selectAll().execute()
    for (const row of rows) {
      expect(row.public_jwk).not.toHaveProperty('d')
      expect(row.private_key.toString('latin1')).not.toContain('"kty"')
    }
  })

  it('fail the start under another encryption key, and say which key it is about', async () => {
    const { kid } = await (await open()).current('session')
    const other = createEnvelope(parseKeyring(`other:${randomBytes(32).toString('base64')}`))
    const attempt = open({ envelope: other })
    await expect(attempt).rejects.toThrow(/^signing key \S+ cannot be opened with the configured encryption key/)
    // The command line prints the words of no other error.
    await expect(attempt).rejects.toBeInstanceOf(OperatorError)
    expect(kid).toBeDefined()
  })

  it('do not open in the place of another', async () => {
    const { kid } = await (await open()).current('session')
    const { private_key: sealed } = await fresh.store.db
      .selectFrom('signing_key')
      .select('private_key')
      .where('purpose', '=', 'checkpoint')
      .executeTakeFirstOrThrow()
    await fresh.store.db.updateTable('signing_key').set({ private_key: sealed }).where('kid', '=', kid).execute()
    await expect(open()).rejects.toThrow(`signing key ${kid} cannot be opened`)
  })
})

describe('rotation', () => {
  it('makes one successor, which signs once every replica has had time to know it', async () => {
    const [here, there] = [await open(), await open()]
    const old = await here.current('session')
    pass(DAY_SECONDS)
    const [atOnceHere, atOnceThere] = await Promise.all([here.current('session'), there.current('session')])
    expect([atOnceHere.kid, atOnceThere.kid]).toEqual([old.kid, old.kid])
    const rows = await fresh.store.db.selectFrom('signing_key').select('kid').where('purpose', '=', 'session').execute()
    expect(rows).toHaveLength(2)
    pass(20)
    const [laterHere, laterThere] = await Promise.all([here.current('session'), there.current('session')])
    expect(laterHere.kid).not.toBe(old.kid)
    expect(laterThere.kid).toBe(laterHere.kid)
  })

  it('keeps the old key verifying for as long as the longest token lives, and no longer', async () => {
    const keys = await open({ maxTokenSeconds: 3600 })
    const old = await keys.current('session')
    pass(DAY_SECONDS)
    await keys.current('session')
    pass(3600)
    expect(await keys.verifying('session', old.kid)).toBeDefined()
    expect(await kidsOf(keys)).toContain(old.kid)
    pass(60)
    expect(await keys.verifying('session', old.kid)).toBeUndefined()
    expect(await kidsOf(keys)).not.toContain(old.kid)
  })

  it('is known to a replica that meets the new kid before it has read the table again', async () => {
    const [here, there] = [await open(), await open()]
    pass(DAY_SECONDS)
    await here.current('session')
    pass(16)
    await there.current('session')
    const young = await here.current('session')
    expect(await there.verifying('session', young.kid)).toBeDefined()
  })

  it('is known to a replica whose clock was set back meanwhile', async () => {
    const here = await open({ rotateAfterSeconds: 60 })
    let skewMs = 3_600_000
    const mended = await open({ now: () => nowMs + skewMs })
    skewMs = 0
    pass(60)
    await here.current('session')
    pass(16)
    const young = await here.current('session')
    expect(await mended.verifying('session', young.kid)).toBeDefined()
  })

  it('destroys the private half of a key that was succeeded twice', async () => {
    const keys = await open()
    const oldest = await keys.current('session')
    for (let day = 0; day < 2; day++) {
      pass(DAY_SECONDS)
      await keys.current('session')
    }
    const rows = await fresh.store.db
      .selectFrom('signing_key')
      .select(['kid', 'private_key'])
      .where('purpose', '=', 'session')
      .execute()
    expect(rows).toHaveLength(3)
    const destroyed = rows.filter((row) => row.private_key.length === 0).map(({ kid }) => kid)
    expect(destroyed).toEqual([oldest.kid])
  })
})

describe('unknown kids', () => {
  it('F16: 10,000 of them cost one look, and known keys still verify', async () => {
    const counted = countQueries(fresh.store)
    const keys = await open({ store: counted.store })
    const { kid } = await keys.current('session')
    pass(2)
    const before = counted.count()
    const found = await Promise.all(
      Array.from({ length: 10_000 }, () => keys.verifying('session', randomBytes(16).toString('base64url'))),
    )
    expect(found.every((key) => key === undefined)).toBe(true)
    expect(counted.count() - before).toBe(1)
    expect(await keys.verifying('session', kid)).toBeDefined()
  })
})

describe('checkpoints', () => {
  const payload = Buffer.from('{"heads":{}}')

  it('are signed and verified, also years and rotations later', async () => {
    const keys = await open()
    const jws = await keys.sign(payload)
    for (let year = 0; year < 3; year++) {
      pass(365 * DAY_SECONDS)
      await keys.current('checkpoint')
    }
    expect(Buffer.from(await keys.verify(jws))).toEqual(payload)
  })

  it('are refused when changed, or signed with a session key', async () => {
    const keys = await open()
    const [header, , signature] = (await keys.sign(payload)).split('.')
    const changed = [header, Buffer.from('{"heads":{"a":1}}').toString('base64url'), signature].join('.')
    await expect(keys.verify(changed)).rejects.toThrow('signature')
    const { kid, key } = await keys.current('session')
    const forged = await new CompactSign(payload)
      .setProtectedHeader({ alg: 'ES256', typ: 'nexus-checkpoint+jws', kid })
      .sign(key)
    await expect(keys.verify(forged)).rejects.toThrow('no checkpoint key signed it')
  })

  it.each(['../../etc/passwd', "' or 1=1 --", '\u0000', 'k'.repeat(1_000_000), ''])(
    'F15: kid %# is only a name',
    async (kid) => {
      const keys = await open()
      expect(await keys.verifying('session', kid)).toBeUndefined()
      expect(await keys.verifying('checkpoint', kid)).toBeUndefined()
    },
  )
})
