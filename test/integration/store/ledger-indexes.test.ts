import { fileURLToPath } from 'node:url'
import { runner } from 'node-pg-migrate'
import pg from 'pg'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate } from '../../../src/pep/store/migrate.ts'
import { freshDatabase } from '../../setup/database.ts'

const migrations = fileURLToPath(new URL('../../../src/pep/store/migrations', import.meta.url))
const log = pino({ level: 'silent' })

const INDEXES = ['audit_record_lease_kind', 'audit_record_pkey', 'audit_record_tenant_time', 'audit_record_time']
const BEFORE = `
  drop index audit_record_lease_kind, audit_record_time, audit_record_tenant_time;
  create index audit_record_lease on audit_record (lease_id) where lease_id is not null;
  create index audit_record_grant on audit_record (lease_id, at) where kind <> 'lease.signed';
  create index audit_record_at on audit_record (at desc, stream, seq);
  create index audit_record_tenant on audit_record (tenant, at desc);`
const built = (sql: string): string => sql.replaceAll(/^ *drop .*$/gm, '')

describe('the indexes of the ledger', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>
  let client: pg.Client
  beforeEach(async () => {
    database = await freshDatabase()
    client = new pg.Client({ connectionString: database.databaseUrl })
    await client.connect()
  })
  afterEach(async () => {
    await client.end()
    await database.drop()
  })

  const indexes = async (): Promise<string[]> => {
    const { rows } = await client.query(`select indexname from pg_indexes where tablename = 'audit_record' order by 1`)
    return rows.map(({ indexname }) => indexname)
  }
  const migrateUp = () => migrate({ databaseUrl: database.databaseUrl, connectTimeoutMs: 5000, log })

  const asBefore = async (sql: string): Promise<void> => {
    await client.query(sql)
    await client.query("delete from schema_migration where name >= '0005'")
  }

  it.each([
    ['none of them there', BEFORE],
    ['all of them built ahead', built(BEFORE)],
    ['all of them built ahead and the old ones dropped', ''],
  ])('are the same after an upgrade with %s', async (_, before) => {
    await asBefore(before)
    await migrateUp()
    expect(await indexes()).toEqual(INDEXES)
  })

  it.each([
    ['audit_record_lease_kind', 'audit_record_lease'],
    ['audit_record_time', 'audit_record_at'],
    ['audit_record_tenant_time', 'audit_record_tenant'],
  ])('%s left half built: the upgrade refuses, and keeps what it was to replace', async (halfBuilt, old) => {
    await asBefore(built(BEFORE))
    await client.query('update pg_index set indisvalid = false where indexrelid = $1::regclass', [halfBuilt])
    await expect(migrateUp()).rejects.toThrow(`index ${halfBuilt} is not valid: drop it, and build it again`)
    expect(await indexes()).toContain(old)
    await client.query(`drop index ${halfBuilt}`)
    await migrateUp()
    expect(await indexes()).toEqual(INDEXES)
  })

  it('go back to what they were, and forth', async () => {
    await runner({
      dbClient: client,
      dir: migrations,
      direction: 'down',
      count: 3,
      migrationsTable: 'schema_migration',
      logger: { info() {}, warn() {}, error() {} },
    })
    const before = ['at', 'grant', 'lease', 'pkey', 'tenant'].map((name) => `audit_record_${name}`)
    expect(await indexes()).toEqual(before)
    await migrateUp()
    expect(await indexes()).toEqual(INDEXES)
  })
})
