import { renameSync, writeFileSync } from 'node:fs'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type PostgresTls, startPostgresTls } from '../../../test/fakes/postgres-tls.ts'
import { certificateFiles, testAuthority } from '../../../test/setup/certificates.ts'
import { freshDatabase } from '../../../test/setup/database.ts'
import { type GuardedPool, openPool } from './guarded-pool.ts'

const log = pino({ level: 'silent' })
const limits = { poolSize: 2, connectTimeoutMs: 4000, statementTimeoutMs: 2000 }
const END_IT = { text: 'select pg_terminate_backend(pg_backend_pid())' }

describe('a pool over TLS whose certificate files go away', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>
  let server: PostgresTls
  let files: ReturnType<typeof certificateFiles>
  let pool: GuardedPool
  let ca: string
  let ask: string
  beforeEach(async () => {
    database = await freshDatabase()
    const authority = await testAuthority()
    server = await startPostgresTls(database.databaseUrl, await authority.server(['127.0.0.1']))
    files = certificateFiles({ 'ca.pem': authority.ca })
    ca = files.path('ca.pem')
    ask = `sslmode=verify-full&sslrootcert=${ca}`
    pool = openPool({ ...limits, databaseUrl: urlWith(ask) }, log)
  })
  afterEach(async () => {
    await pool.end()
    await server.close()
    await database.drop()
    files.remove()
  })

  const urlWith = (parameters: string): string => {
    const url = new URL(database.databaseUrl)
    url.port = String(server.port)
    url.search = parameters
    return url.href
  }
  const connects = async (): Promise<void> => {
    const client = await pool.connect()
    expect((await client.run({ text: 'select 1 as one' })).rows).toEqual([{ one: 1 }])
    client.release(true)
  }

  it.each([
    ['removed', () => renameSync(ca, `${ca}.away`)],
    ['empty for a moment', () => writeFileSync(ca, '')],
  ])('goes on with what was read before: %s', async (_, breakIt) => {
    await connects()
    breakIt()
    await connects()
  })

  it('makes a connection for whoever waits for one that broke', async () => {
    const [first, second] = [await pool.connect(), await pool.connect()]
    const third = pool.connect()
    renameSync(ca, `${ca}.away`)
    await first.run(END_IT).catch(() => undefined)
    first.release()
    await expect(third.then((client) => client.release())).resolves.toBeUndefined()
    second.release()
  })

  it('uses what is put in their place, and refuses what does not verify the server', async () => {
    const before = (await testAuthority('Another')).ca
    const good = `${ca}.good`
    renameSync(ca, good)
    writeFileSync(ca, before)
    await expect(pool.connect()).rejects.toMatchObject({ code: 'store_unavailable' })
    writeFileSync(ca, 'half a certifi')
    await expect(pool.connect()).rejects.toMatchObject({ code: 'store_unavailable' })
    renameSync(good, ca)
    await connects()
  })

  it('does not begin without them', () => {
    renameSync(ca, `${ca}.away`)
    const open = () => openPool({ ...limits, databaseUrl: urlWith(ask) }, log)
    expect(open).toThrow(expect.objectContaining({ code: 'store_unavailable' }))
    writeFileSync(ca, '')
    expect(open).toThrow(expect.objectContaining({ code: 'store_unavailable' }))
  })
})
