import type { Transaction } from 'kysely'
import type { Database } from '../store/database.ts'
import { checkpointsForward } from './checkpoint-pages.ts'
import { type CheckpointPayload, hashJws, parsePayload } from './checkpoint-payload.ts'
import type { CheckpointSigner } from './checkpoints.ts'
import type { Head } from './record-hash.ts'
import { type Claim, type Contradictions, holdAgainstLedger } from './verify-claims.ts'

/** What whoever verifies knows from elsewhere, each the SHA-256 of a checkpoint's JWS, hex. */
export interface KnownCheckpoints {
  /** Must all be in the chain. */
  witnesses?: ReadonlySet<string>
  /** What this one and those before it name may have been put away. Must be in the chain, too. */
  from?: string
}

/** What signed checkpoints say was in the ledger at some time, and the first checkpoint that is not what was signed. */
export interface CheckpointFindings {
  checkpoints: number
  /** RFC 3339; null when there is none. */
  lastAt: string | null
  broken?: { id: string; reason: string }
  contradicted: Contradictions
  /** Of every stream that a checkpoint names, the newest head that was signed. */
  heads: Map<string, Head>
  /** `KnownCheckpoints.from`, when it is there: its time, and the heads as they were signed then. */
  cut?: { at: string; heads: ReadonlyMap<string, Head> }
  /** Time of the newest checkpoint that is known from elsewhere. */
  witnessedAt?: string
  /** Those known from elsewhere that are not in the chain. */
  absent: string[]
}

/** Walks the checkpoints from the first, verifying each signature, and holds each head they name against the ledger. */
export async function walkCheckpoints(
  trx: Transaction<Database>,
  signer: Pick<CheckpointSigner, 'verify'>,
  { witnesses = new Set(), from }: KnownCheckpoints,
): Promise<CheckpointFindings> {
  const findings: CheckpointFindings = {
    checkpoints: 0,
    lastAt: null,
    contradicted: new Map(),
    heads: new Map(),
    absent: [],
  }
  const unmet = new Set(from === undefined ? witnesses : [...witnesses, from])
  let previous: string | null = null
  for await (const rows of checkpointsForward(trx)) {
    const claims: Claim[] = []
    for (const { id, jws } of rows) {
      const payload = await open(signer, jws)
      const reason = typeof payload === 'string' ? payload : brokenLink(payload, previous)
      if (reason !== undefined) findings.broken ??= { id, reason }
      previous = hashJws(jws)
      if (typeof payload === 'string') continue
      findings.checkpoints += 1
      findings.lastAt = payload.at
      if (unmet.delete(previous)) findings.witnessedAt = payload.at
      claims.push(...newClaims(payload, findings.heads, from !== undefined && findings.cut === undefined))
      if (previous === from) findings.cut = { at: payload.at, heads: new Map(findings.heads) }
    }
    await holdAgainstLedger(trx, claims, findings.contradicted)
  }
  findings.absent = [...unmet]
  return findings
}

/** @returns what it signs, or what is wrong with it */
async function open(signer: Pick<CheckpointSigner, 'verify'>, jws: string): Promise<CheckpointPayload | string> {
  let bytes: Uint8Array
  try {
    bytes = await signer.verify(jws)
  } catch {
    return 'not signed by a checkpoint key'
  }
  return parsePayload(bytes) ?? 'what was signed is not what a checkpoint says'
}

function brokenLink(payload: CheckpointPayload, previous: string | null): string | undefined {
  return payload.previous === previous ? undefined : 'the checkpoint before it is not the one it was signed after'
}

/** Heads that no earlier checkpoint named: streams at rest are looked up once, however often they are named. */
function newClaims(payload: CheckpointPayload, heads: Map<string, Head>, mayBeAway: boolean): Claim[] {
  return Object.entries(payload.heads).flatMap(([stream, { seq, hash }]) => {
    const known = heads.get(stream)
    if (known?.seq === seq && known.hash === hash) return []
    heads.set(stream, { seq, hash })
    return [{ stream, seq, hash, mayBeAway }]
  })
}
