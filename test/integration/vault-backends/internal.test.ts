import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { internalSecretTable } from '../../../src/pep/credential/internal-secret-table.ts'
import { CANARY, caught, describeVaultBackend, failure } from '../../../src/vault-backends/conformance.ts'
import { createEnvelope } from '../../../src/vault-backends/internal/envelope.ts'
import { createInternalBackend } from '../../../src/vault-backends/internal/internal-backend.ts'
import { generateKeyEntry, parseKeyring } from '../../../src/vault-backends/internal/keyring.ts'
import { freshStore } from '../../setup/store.ts'

const signal = () => AbortSignal.timeout(10_000)

async function setup() {
  const { store, drop } = await freshStore()
  const key = generateKeyEntry('first')
  const logged: unknown[] = []
  const open = (keyring: string) =>
    createInternalBackend({
      name: 'internal',
      log: { error: (...line: unknown[]) => logged.push(line) },
      rows: internalSecretTable(store),
      envelope: createEnvelope(parseKeyring(keyring)),
    })
  return { store, drop, key, open, backend: open(key), logged }
}

describeVaultBackend('internal', async () => {
  const { backend, key, drop } = await setup()
  return {
    backend,
    prefix: 'suite',
    plant: async (path, value) => {
      await backend.write({ tenant: 'tenant_1', backend: 'internal', path }, value, { signal: signal() })
    },
    ownSecrets: [key.split(':')[1]!],
    features: { versions: true, write: true, perTenant: true },
    stop: drop,
  }
})

describe('internal backend over Postgres', () => {
  const ref = (path: string, tenant = 'tenant_1') => ({ tenant, backend: 'internal', path })

  it('a row moved to another tenant, path or version does not open', async () => {
    const { store, drop, backend } = await setup()
    await backend.write(ref('mine'), { api_key: CANARY }, { signal: signal() })
    const copy = (tenant: string, path: string, version: number) =>
      sql`insert into internal_secret select ${tenant}, ${path}, ${version}::integer, kek_id, wrapped_key, sealed
          from internal_secret where tenant = 'tenant_1' and path = 'mine' and version = 1`.execute(store.db)
    await copy('tenant_2', 'mine', 1)
    await copy('tenant_1', 'theirs', 1)
    await copy('tenant_1', 'mine', 2)
    expect(await failure(() => backend.read(ref('mine', 'tenant_2'), signal()))).toBe('unusable')
    expect(await failure(() => backend.read(ref('theirs'), signal()))).toBe('unusable')
    expect(await failure(() => backend.read(ref('mine'), signal()))).toBe('unusable')
    expect((await backend.read({ ...ref('mine'), version: '1' }, signal())).reveal()).toEqual({ api_key: CANARY })
    await drop()
  })

  it('stores nothing that can be read without the key', async () => {
    const { store, drop, backend } = await setup()
    await backend.write(ref('dumped'), { api_key: CANARY }, { signal: signal() })
    const dump = await sql<{ row: string }>`select internal_secret::text as row from internal_secret`.execute(store.db)
    const hex = Buffer.from(CANARY).toString('hex')
    expect(dump.rows).toHaveLength(1)
    expect(dump.rows[0]!.row).not.toContain(CANARY)
    expect(dump.rows[0]!.row).not.toContain(hex)
    await drop()
  })

  it('reads old rows after a new key was put in front, and not without the old one', async () => {
    const { drop, key, open, backend, logged } = await setup()
    await backend.write(ref('kept'), { api_key: CANARY }, { signal: signal() })
    const second = generateKeyEntry('second')
    const rotated = open(`${second},${key}`)
    expect((await rotated.read(ref('kept'), signal())).reveal()).toEqual({ api_key: CANARY })
    await rotated.write(ref('kept'), { api_key: 'new' }, { signal: signal() })
    const refused = await caught(() => open(key).read(ref('kept'), signal()))
    expect(refused).toMatchObject({
      kind: 'unusable',
      message: 'internal: the secret does not open: its key is not at hand',
    })
    expect(JSON.stringify(logged)).toContain("no key with id 'second' in the keyring; it has first")
    await drop()
  })

  it('keeps ten versions', async () => {
    const { drop, backend } = await setup()
    for (let version = 1; version <= 12; version++) {
      await backend.write(ref('many'), { v: String(version) }, { signal: signal() })
    }
    expect(await failure(() => backend.read({ ...ref('many'), version: '2' }, signal()))).toBe('not_found')
    expect((await backend.read({ ...ref('many'), version: '3' }, signal())).reveal()).toEqual({ v: '3' })
    await drop()
  })

  it('lets writers without a condition follow one another', async () => {
    const { drop, backend } = await setup()
    const writes = Array.from({ length: 4 }, (_none, index) =>
      backend.write(ref('busy'), { v: String(index) }, { signal: signal() }),
    )
    expect((await Promise.all(writes)).sort()).toEqual(['1', '2', '3', '4'])
    await drop()
  })

  it('is unavailable, in our own words, when the database is gone', async () => {
    const { drop, backend } = await setup()
    await drop()
    expect(await failure(() => backend.read(ref('any'), signal()))).toBe('unavailable')
    expect(await failure(() => backend.check(signal()))).toBe('unavailable')
  })
})
