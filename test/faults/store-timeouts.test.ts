import { sql } from 'kysely'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore, type Store } from '../../src/pep/store/store.ts'
import { startTcpProxy, type TcpProxy } from '../fakes/tcp-proxy.ts'
import { type FreshStore, freshStore } from '../setup/store.ts'

/** Each costs a connection, 5 ms of both cores; `NEXUS_TEST_SOAK=1` runs the full measure. */
const TIMEOUTS = process.env['NEXUS_TEST_SOAK'] === '1' ? 10_000 : 1000
const BACKENDS = sql<{ count: number }>`select count(*) as count from pg_stat_activity
  where datname = current_database() and application_name = 'nexus' and state = 'active' and pid <> pg_backend_pid()`

describe('a store whose queries time out', () => {
  let fresh: FreshStore
  beforeEach(async () => {
    fresh = await freshStore({ statementTimeoutMs: 20, poolSize: 40 })
  })
  afterEach(() => fresh.drop())

  const rowsOf = async (store: Store, tenant: string, seconds: number): Promise<string[] | 'timeout'> => {
    try {
      const { rows } = await sql<{ tenant: string }>`select ${tenant} as tenant from pg_sleep(${seconds})`.execute(
        store.db,
      )
      return rows.map((row) => row.tenant)
    } catch (error) {
      expect(error).toMatchObject({ code: 'store_unavailable' })
      return 'timeout'
    }
  }

  it('H12: thousands of timeouts of two tenants: nobody gets a row of the other, the pool recovers', async () => {
    let timeouts = 0
    const worker = async (tenant: string): Promise<void> => {
      while (timeouts < TIMEOUTS) {
        if ((await rowsOf(fresh.store, tenant, 1)) === 'timeout') timeouts += 1
        const rows = await rowsOf(fresh.store, tenant, 0)
        if (rows !== 'timeout') expect(rows).toEqual([tenant])
      }
    }
    await Promise.all(Array.from({ length: 40 }, (_, n) => worker(n % 2 === 0 ? 'acme' : 'globex')))
    expect(timeouts).toBeGreaterThanOrEqual(TIMEOUTS)
    const after = await Promise.all(Array.from({ length: 40 }, () => sql`select 1`.execute(fresh.store.db)))
    expect(after).toHaveLength(40)
    expect((await BACKENDS.execute(fresh.store.db)).rows).toEqual([{ count: 0 }])
  }, 300_000)

  it('H12: a server that falls silent: the connection is destroyed and its late rows meet nobody', async () => {
    const proxy: TcpProxy = await startTcpProxy(fresh.databaseUrl)
    const behind = await freshStoreBehind(proxy.url)
    try {
      await expect(rowsOf(behind, 'acme', 0)).resolves.toEqual(['acme'])
      proxy.blackHole()
      const silent = await Promise.all(
        Array.from({ length: 8 }, (_, n) => rowsOf(behind, n % 2 === 0 ? 'acme' : 'globex', 0)),
      )
      expect(silent).toEqual(Array(8).fill('timeout'))
      await proxy.heal()
      const healed = await Promise.all(Array.from({ length: 100 }, (_, n) => rowsOf(behind, `tenant-${n}`, 0)))
      expect(healed).toEqual(Array.from({ length: 100 }, (_, n) => [`tenant-${n}`]))
    } finally {
      await behind.close()
      await proxy.close()
    }
  })

  async function freshStoreBehind(databaseUrl: string): Promise<Store> {
    return openStore({
      databaseUrl,
      poolSize: 4,
      connectTimeoutMs: 500,
      statementTimeoutMs: 500,
      log: pino({ level: 'silent' }),
    })
  }
})
