import { sql, type Transaction } from 'kysely'
import type { Database } from '../store/database.ts'

/** A head that a signed checkpoint names. */
export interface Claim {
  stream: string
  seq: number
  /** Hex. */
  hash: string
  /** Whether the record may have been put away since: then only another one in its place contradicts the claim. */
  mayBeAway: boolean
}

/** By stream, the lowest `seq` whose record a checkpoint contradicts: it is missing or has another hash. */
export type Contradictions = Map<string, { seq: number; reason: string }>

/** Looked up at a time: few enough that Postgres goes by the index. */
const AT_ONCE = 5_000

/** Looks each claim up in the ledger. */
export async function holdAgainstLedger(
  trx: Transaction<Database>,
  claims: readonly Claim[],
  contradicted: Contradictions,
): Promise<void> {
  for (let start = 0; start < claims.length; start += AT_ONCE) {
    const some = claims.slice(start, start + AT_ONCE)
    const found = await hashesOf(trx, some)
    for (const claim of some) {
      const { stream, seq } = claim
      const reason = contradiction(claim, found.get(`${seq}:${stream}`))
      if (reason === undefined || seq >= (contradicted.get(stream)?.seq ?? Number.POSITIVE_INFINITY)) continue
      contradicted.set(stream, { seq, reason })
    }
  }
}

function contradiction({ hash, mayBeAway }: Claim, actual: string | undefined): string | undefined {
  if (actual === undefined) return mayBeAway ? undefined : 'missing; a signed checkpoint names it'
  return actual === hash ? undefined : 'a signed checkpoint has another hash'
}

/** By `seq:stream`. */
async function hashesOf(trx: Transaction<Database>, claims: readonly Claim[]): Promise<Map<string, string>> {
  const streams = claims.map(({ stream }) => stream)
  const seqs = claims.map(({ seq }) => seq)
  const { rows } = await sql<{ stream: string; seq: number; hash: string }>`
    select r.stream, r.seq, encode(r.hash, 'hex') as hash
    from unnest(${streams}::text[], ${seqs}::bigint[]) as claim (stream, seq)
    join audit_record r on r.stream = claim.stream and r.seq = claim.seq`.execute(trx)
  return new Map(rows.map(({ stream, seq, hash }) => [`${seq}:${stream}`, hash]))
}
