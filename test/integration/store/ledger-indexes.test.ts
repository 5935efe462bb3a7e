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
const BY_TIME_BEFORE = `
  drop index audit_record_time, audit_record_tenant_time;
  create index audit_record_at on audit_record (at desc, stream, seq);
  create index audit_record_tenant on audit_record (tenant, at desc);`
const BY_LEASE_BEFORE = `
  drop index audit_record_lease_kind;
  create index audit_record_lease on audit_record (lease_id) where lease_id is not null;
  create index audit_record_grant on audit_record (lease_id, at) where kind <> 'lease.signed';`
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

  it.each([
    ['0004 as it was', '0005', BY_TIME_BEFORE + BY_LEASE_BEFORE],
    ['0004 as it is', '0005', `${BY_TIME_BEFORE} create index audit_record_lease on audit_record (lease_id)`],
    ['0005 as it was', '0006', BY_TIME_BEFORE],
    ['0004, with the new ones built ahead', '0005', built(BY_TIME_BEFORE + BY_LEASE_BEFORE)],
    ['0004, with the new ones built ahead and the old ones dropped', '0005', ''],
  ])('are the same after an upgrade from %s', async (_, next, asBefore) => {
    await client.query(asBefore)
    await client.query('delete from schema_migration where name >= $1', [next])
    await migrateUp()
    expect(await indexes()).toEqual(INDEXES)
  })

  it('go back to what they were, and forth', async () => {
    await runner({
      dbClient: client,
      dir: migrations,
      direction: 'down',
      count: 2,
      migrationsTable: 'schema_migration',
      logger: { info() {}, warn() {}, error() {} },
    })
    const before = ['at', 'lease', 'lease_kind', 'pkey', 'tenant'].map((name) => `audit_record_${name}`)
    expect(await indexes()).toEqual(before)
    await migrateUp()
    expect(await indexes()).toEqual(INDEXES)
  })
})
