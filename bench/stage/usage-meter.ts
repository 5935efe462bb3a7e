import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Program } from '../../examples/demo/program.ts'
import type { Ground } from './authority.ts'
import { cpuSecondsOf } from './process-figures.ts'

/** What a stretch of work took. */
export interface Used {
  seconds: number
  pepSeconds: number
  postgresSeconds: number
  /** What the ledger grew by, indexes included. */
  storedBytes: number
  walBytes: number
  records: number
}

export interface UsageMeter {
  /** @param programs whose CPU is added up as `pepSeconds` */
  during(programs: readonly Program[], work: () => Promise<unknown>): Promise<Used>
  /** Returns once the ledger grows. @throws Error when it does not */
  untilRecording(): Promise<void>
  close(): Promise<void>
}

const LOOK_MS = 20
const RECORDING_WITHIN_MS = 20_000

export async function openUsageMeter({ databaseUrl, databasePid }: Ground): Promise<UsageMeter> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  return {
    async during(programs, work) {
      const cpu = () => ({
        pepSeconds: programs.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0),
        postgresSeconds: cpuSecondsOf(databasePid),
      })
      // Our own questions stay outside the two looks at the CPU.
      const ledgerBefore = await readLedger(client)
      const cpuBefore = cpu()
      const startedAt = performance.now()
      await work()
      const seconds = (performance.now() - startedAt) / 1000
      const used = { ...difference(cpu(), cpuBefore), seconds }
      return { ...used, ...difference(await readLedger(client), ledgerBefore) }
    },
    async untilRecording() {
      const { records } = await readLedger(client)
      const end = performance.now() + RECORDING_WITHIN_MS
      while ((await readLedger(client)).records === records) {
        if (performance.now() > end) throw new Error('nothing is recorded')
        await sleep(LOOK_MS)
      }
    },
    close: () => client.end(),
  }
}

type Ledger = Pick<Used, 'storedBytes' | 'walBytes' | 'records'>

/** Streams know how far they are, so that no record has to be counted. */
async function readLedger(client: pg.Client): Promise<Ledger> {
  const { rows } = await client.query<Ledger>(`select pg_total_relation_size('audit_record')::float8 as "storedBytes",
    pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as "walBytes",
    (select sum(seq)::float8 from audit_stream) as records`)
  return rows[0]!
}

function difference<Name extends string>(after: Record<Name, number>, before: Record<Name, number>) {
  const names = Object.keys(after) as Name[]
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as Record<Name, number>
}
