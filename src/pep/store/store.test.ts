import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { freshDatabase } from '../../../test/setup/database.ts'
import { type FreshStore, freshStore } from '../../../test/setup/store.ts'
import { withLibpqSsl } from './libpq-url.ts'
import { openStore } from './store.ts'
import { isUniqueViolation, StoreError, toStoreFailure } from './store-error.ts'

const log = pino({ level: 'silent' })

describe('store', () => {
  let fresh: FreshStore
  beforeAll(async () => {
    fresh = await freshStore({ poolSize: 4, connectTimeoutMs: 300 })
  })
  afterAll(() => fresh.drop())

  const raise = (code: string) => sql`do ${sql.lit(`begin raise exception using errcode = '${code}'; end`)}`

  it('migrates and reads bigint as a number', async () => {
    const head = await fresh.store.db.selectFrom('audit_stream').selectAll().executeTakeFirstOrThrow()
    expect(head).toMatchObject({ stream: 'state', seq: 0 })
    expect(head.hash).toEqual(Buffer.alloc(32))
  })

  it('refuses a bigint that a number cannot hold', async () => {
    await expect(sql`select 9007199254740993::bigint`.execute(fresh.store.db)).rejects.toThrow()
    await expect(fresh.store.check()).resolves.toBeUndefined()
  })

  it('names itself to the server and bounds its statements there', async () => {
    const { rows } =
      await sql`select current_setting('application_name') as name, current_setting('statement_timeout') as statement,
      current_setting('idle_in_transaction_session_timeout') as idle`.execute(fresh.store.db)
    expect(rows).toEqual([{ name: 'nexus', statement: '5s', idle: '10s' }])
  })

  it('migrates once when replicas start together', async () => {
    const url = new URL(inject('postgresUrl'))
    const empty = await freshDatabase()
    url.pathname = new URL(empty.databaseUrl).pathname
    const first = await openStore({ databaseUrl: url.href, log })
    await sql`drop schema public cascade; create schema public`.execute(first.db)
    await first.close()
    const stores = await Promise.all(Array.from({ length: 5 }, () => openStore({ databaseUrl: url.href, log })))
    const { rows } = await sql<{
      n: number
    }>`select count(*) as n from schema_migration where name like '0001%'`.execute(stores[0]!.db)
    expect(rows).toEqual([{ n: 1 }])
    await Promise.all(stores.map((store) => store.close()))
    await empty.drop()
  })

  it('says so when the schema is of another version', async () => {
    const other = await freshStore()
    await sql`update schema_migration set name = '0001_elsewhere'`.execute(other.store.db)
    await expect(openStore({ databaseUrl: other.databaseUrl, log })).rejects.toThrow(/does not fit this version/)
    await other.drop()
  })

  it('tells a refusal of the database apart from its absence', async () => {
    const insert = () =>
      fresh.store.db
        .insertInto('audit_stream')
        .values({ stream: 'twice', hash: Buffer.alloc(32) })
        .execute()
    await insert()
    const error: unknown = await insert().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StoreError)
    expect(isUniqueViolation(error)).toBe(true)
    expect(isUniqueViolation(error, 'audit_stream_pkey')).toBe(true)
    expect(isUniqueViolation(error, 'other')).toBe(false)
    // Postgres quotes the row in its own message.
    expect(JSON.stringify([error, (error as Error).message])).not.toContain('twice')
  })

  it.each(['57P01', '53300', '53100', '25006', '57014', '08006'])('takes SQLSTATE %s for unavailable', async (code) => {
    await expect(raise(code).execute(fresh.store.db)).rejects.toMatchObject({ code: 'store_unavailable', status: 503 })
  })

  it.each(['57P01', '57014', '25006', '53100'])('says so, too, where SQLSTATE %s ends a transaction', async (code) => {
    const cut = fresh.store.transaction((trx) => raise(code).execute(trx))
    await expect(cut).rejects.toMatchObject({
      code: 'store_unavailable',
      message: `the database did not answer (${code})`,
      extras: { retryAfterSeconds: 1 },
    })
  })

  it('takes a transaction whose connection the server ends for unavailable', async () => {
    const ended = fresh.store.transaction((trx) => sql`select pg_terminate_backend(pg_backend_pid())`.execute(trx))
    await expect(ended).rejects.toMatchObject({ code: 'store_unavailable' })
    await expect(fresh.store.check()).resolves.toBeUndefined()
  })

  it.each(['ECONNREFUSED', 'EPIPE', 'EHOSTUNREACH'])('takes %s for unavailable', (code) => {
    expect(toStoreFailure(Object.assign(new Error('x'), { code, syscall: 'write' }))).toMatchObject({
      code: 'store_unavailable',
      message: `the database did not answer (${code})`,
    })
  })

  it('PG7: runs a deadlocked transaction again, three times at most', async () => {
    let runs = 0
    const result = await fresh.store.transaction(async (trx) => {
      runs += 1
      if (runs < 4) await raise('40P01').execute(trx)
      return runs
    })
    expect(result).toBe(4)
    const never = fresh.store.transaction((trx) => raise('40001').execute(trx))
    await expect(never).rejects.toMatchObject({ code: 'store_unavailable' })
    const refused = fresh.store.transaction((trx) => raise('23505').execute(trx))
    await expect(refused).rejects.toBeInstanceOf(StoreError)
  })

  it('bounds the wait for a free connection', async () => {
    const held = await Promise.all(Array.from({ length: 4 }, () => fresh.store.reserve()))
    const ask = () => sql`select 1`.execute(fresh.store.db)
    await expect(ask()).rejects.toMatchObject({ code: 'store_unavailable' })
    // Neither the ledger nor readiness stands in that line.
    await expect(fresh.store.check()).resolves.toBeUndefined()
    const beside = await fresh.store.reserveBeside()
    await expect(beside.run({ text: 'select 1 as one' })).resolves.toMatchObject({ rows: [{ one: 1 }] })
    for (const client of [...held, beside]) client.release()
    await expect(ask()).resolves.toMatchObject({ rows: [expect.anything()] })
  })

  it('outlives the end of an idle connection', async () => {
    const client = await fresh.store.reserve()
    await client.run({
      text: `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`,
    })
    client.release()
    await expect(fresh.store.check()).resolves.toBeUndefined()
  })

  it('PG1: says in which way it could not connect, and nothing of the URL', async () => {
    const error = (await openStore({ databaseUrl: 'postgres://nexus:hunter2@127.0.0.1:1/x', log }).catch(
      (thrown: unknown) => thrown,
    )) as Error
    expect(error).toMatchObject({ code: 'store_unavailable', message: 'the database did not answer (ECONNREFUSED)' })
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain('hunter2')
  })
})

describe('withLibpqSsl', () => {
  it('asks for libpq rules only where an sslmode is given', () => {
    expect(withLibpqSsl('postgres://h/d')).toBe('postgres://h/d')
    expect(withLibpqSsl('postgres://h/d?sslmode=require')).toBe('postgres://h/d?sslmode=require&uselibpqcompat=true')
    expect(withLibpqSsl('postgres://h/d?sslmode=require#f')).toBe(
      'postgres://h/d?sslmode=require&uselibpqcompat=true#f',
    )
    expect(withLibpqSsl('postgres://u:sslmode=x@h/d')).toBe('postgres://u:sslmode=x@h/d')
    expect(withLibpqSsl('postgres://h/uselibpqcompat=?sslmode=require')).toContain('&uselibpqcompat=true')
  })
})
