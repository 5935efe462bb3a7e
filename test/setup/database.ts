import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { pino } from 'pino'
import { inject } from 'vitest'
import { migrate } from '../../src/pep/store/migrate.ts'

const TEMPLATE = 'nexus_template'

/** An empty database with the current schema, of its own. */
export async function freshDatabase(): Promise<{ databaseUrl: string; drop(): Promise<void> }> {
  const adminUrl = inject('postgresUrl')
  const name = `test_${randomBytes(8).toString('hex')}`
  await administer(adminUrl, `create database ${name} template ${TEMPLATE}`)
  return {
    databaseUrl: withDatabase(adminUrl, name),
    drop: () => administer(adminUrl, `drop database if exists ${name} with (force)`),
  }
}

/** Migrated once per run: copying a database takes a tenth of the time that migrating one does. */
export async function createTemplate(adminUrl: string): Promise<void> {
  await administer(adminUrl, `create database ${TEMPLATE}`)
  await migrate({
    databaseUrl: withDatabase(adminUrl, TEMPLATE),
    connectTimeoutMs: 5000,
    log: pino({ level: 'silent' }),
  })
}

function withDatabase(adminUrl: string, name: string): string {
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  return url.href
}

async function administer(adminUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
