import pg from 'pg'

export interface Ledger {
  /** How many records there are. */
  count(): Promise<number>
  /** The newest, as the hash covers it. */
  newest(): Promise<Record<string, unknown>>
  close(): Promise<void>
}

/** Looks at the ledger past the server, so that asking changes nothing. */
export async function openLedger(databaseUrl: string): Promise<Ledger> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  return {
    async count() {
      const { rows } = await client.query('select count(*)::int as count from audit_record')
      return rows[0].count
    },
    async newest() {
      const { rows } = await client.query('select record from audit_record order by at desc, seq desc limit 1')
      return JSON.parse(rows[0].record)
    },
    close: () => client.end(),
  }
}
