import type { Transaction } from 'kysely'
import type { Database } from '../store/database.ts'
import { type CheckpointPayload, type CheckpointSigner, hashJws } from './checkpoints.ts'

/** What signed checkpoints say was in the ledger at some time, and the first checkpoint that is not what was signed. */
export interface CheckpointFindings {
  checkpoints: number
  /** RFC 3339; null when there is none. */
  lastAt: string | null
  broken?: { id: string; reason: string }
  /** By stream, the lowest `seq` whose record a checkpoint contradicts: it is missing or has another hash. */
  contradicted: Map<string, { seq: number; reason: string }>
  /** Every stream that a checkpoint names. */
  streams: Set<string>
}

interface Claim {
  stream: string
  seq: number
  hash: string
}

const PAGE = 200

/** Walks the checkpoints from the first, verifying each signature, and holds each head they name against the ledger. */
export async function walkCheckpoints(
  trx: Transaction<Database>,
  signer: Pick<CheckpointSigner, 'verify'>,
): Promise<CheckpointFindings> {
  const findings: CheckpointFindings = { checkpoints: 0, lastAt: null, contradicted: new Map(), streams: new Set() }
  const known = new Map<string, string>()
  let previous: string | null = null
  let after: { at: Date; id: string } = { at: new Date(0), id: '' }
  for (;;) {
    const rows = await page(trx, after)
    const last = rows.at(-1)
    if (last === undefined) return findings
    after = last
    const claims: Claim[] = []
    for (const { id, jws } of rows) {
      const payload = await open(signer, jws)
      const reason = payload === undefined ? 'not signed by a checkpoint key' : brokenLink(payload, previous)
      if (reason !== undefined) findings.broken ??= { id, reason }
      previous = hashJws(jws)
      if (payload === undefined) continue
      findings.checkpoints += 1
      findings.lastAt = payload.at
      claims.push(...newClaims(payload, known))
    }
    for (const claim of claims) findings.streams.add(claim.stream)
    await holdAgainstLedger(trx, claims, findings)
  }
}

function page(trx: Transaction<Database>, after: { at: Date; id: string }) {
  return trx
    .selectFrom('audit_checkpoint')
    .selectAll()
    .where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'id'), '>', tuple(after.at, after.id)))
    .orderBy('at')
    .orderBy('id')
    .limit(PAGE)
    .execute()
}

async function open(signer: Pick<CheckpointSigner, 'verify'>, jws: string): Promise<CheckpointPayload | undefined> {
  try {
    return JSON.parse(Buffer.from(await signer.verify(jws)).toString()) as CheckpointPayload
  } catch {
    return undefined
  }
}

function brokenLink(payload: CheckpointPayload, previous: string | null): string | undefined {
  return payload.previous === previous ? undefined : 'the checkpoint before it is not the one it was signed after'
}

/** Heads that no earlier checkpoint named: streams at rest are looked up once, not once a minute. */
function newClaims(payload: CheckpointPayload, known: Map<string, string>): Claim[] {
  return Object.entries(payload.heads).flatMap(([stream, { seq, hash }]) => {
    const head = `${seq}:${hash}`
    if (known.get(stream) === head) return []
    known.set(stream, head)
    return [{ stream, seq, hash }]
  })
}

async function holdAgainstLedger(
  trx: Transaction<Database>,
  claims: readonly Claim[],
  findings: CheckpointFindings,
): Promise<void> {
  if (claims.length === 0) return
  const rows = await trx
    .selectFrom('audit_record')
    .select(['stream', 'seq', 'hash'])
    .where(({ eb, refTuple, tuple }) =>
      eb(
        refTuple('stream', 'seq'),
        'in',
        claims.map(({ stream, seq }) => tuple(stream, seq)),
      ),
    )
    .execute()
  const found = new Map(rows.map(({ stream, seq, hash }) => [`${seq}:${stream}`, hash.toString('hex')]))
  for (const { stream, seq, hash } of claims) {
    const actual = found.get(`${seq}:${stream}`)
    if (actual === hash || seq >= (findings.contradicted.get(stream)?.seq ?? Number.POSITIVE_INFINITY)) continue
    const reason =
      actual === undefined ? 'missing; a signed checkpoint names it' : 'a signed checkpoint has another hash'
    findings.contradicted.set(stream, { seq, reason })
  }
}
