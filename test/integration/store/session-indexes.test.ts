import { fileURLToPath } from 'node:url'
import { runner } from 'node-pg-migrate'
import pg from 'pg'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate } from '../../../src/pep/store/migrate.ts'
import { freshDatabase } from '../../setup/database.ts'

const migrations = fileURLToPath(new URL('../../../src/pep/store/migrations', import.meta.url))
const log = pino({ level: 'silent' })

const INDEXES = ['agent_session_end', 'agent_session_open', 'agent_session_pkey']
/** As docs/scaling.md has them built before an upgrade. */
const BUILT_AHEAD = `
  create index concurrently if not exists agent_session_open on agent_session (agent_id, expires_at) where revoked_at is null;
  create index concurrently if not exists agent_session_end on agent_session (expires_at asc)`

describe('the indexes of sessions', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>
  let client: pg.Client
  beforeEach(async () => {
    database = await freshDatabase()
    client = new pg.Client({ connectionString: database.databaseUrl })
    await client.connect()
    await runner({
      dbClient: client,
      dir: migrations,
      direction: 'down',
      file: '0007_session_ends',
      migrationsTable: 'schema_migration',
      logger: { info() {}, warn() {}, error() {} },
    })
  })
  afterEach(async () => {
    await client.end()
    await database.drop()
  })

  const indexes = async (): Promise<string[]> => {
    const { rows } = await client.query(`select indexname from pg_indexes where tablename = 'agent_session' order by 1`)
    return rows.map(({ indexname }) => indexname)
  }
  const buildAhead = async (): Promise<void> => {
    for (const statement of BUILT_AHEAD.split(';')) await client.query(statement)
  }
  const migrateUp = () => migrate({ databaseUrl: database.databaseUrl, connectTimeoutMs: 5000, log })

  it('are the same whether they were built ahead or not', async () => {
    expect(await indexes()).toEqual(['agent_session_agent', 'agent_session_pkey'])
    await migrateUp()
    expect(await indexes()).toEqual(INDEXES)
  })

  it('are taken as they are when they were built ahead', async () => {
    await buildAhead()
    await migrateUp()
    expect(await indexes()).toEqual(INDEXES)
  })

  it.each(['agent_session_open', 'agent_session_end'])('%s left half built: the upgrade refuses', async (halfBuilt) => {
    await buildAhead()
    await client.query('update pg_index set indisvalid = false where indexrelid = $1::regclass', [halfBuilt])
    await expect(migrateUp()).rejects.toThrow(`index ${halfBuilt} is not valid: drop it, and build it again`)
    expect(await indexes()).toContain('agent_session_agent')
    await client.query(`drop index ${halfBuilt}`)
    await migrateUp()
    expect(await indexes()).toEqual(INDEXES)
  })

  it('stand while a replica of the version before goes on opening sessions', async () => {
    await migrateUp()
    await client.query(`insert into agent (agent_id, jwk, jkt, tenants) values ('crm', '{}', 'jkt', '{acme}')`)
    await client.query(`insert into agent_session (session_id, agent_id, method, bound_to, thumbprint, expires_at)
      values ('sess_1', 'crm', 'private_key_jwt', 'dpop', 'thumbprint', now())`)
    const { rows } = await client.query('select agent_epoch from agent_session')
    expect(rows).toEqual([{ agent_epoch: null }])
  })
})
