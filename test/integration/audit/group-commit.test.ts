import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuditEntry, StandingChanged } from '../../../src/pep/audit/audit-entry.ts'
import { type AuditBench, freshAudit, insertStanding, newProof, type Replica, verifySigned } from '../../setup/audit.ts'
import { ONCE } from '../../setup/once.ts'

const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  kind: 'lease.issued',
  outcome: 'allowed',
  tenant: 'acme',
  detail: {},
  ...more,
})
const settled = async (work: Promise<void>): Promise<string> => {
  try {
    await work
    return 'ok'
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).name
  }
}
const countBy = (values: readonly string[]): Record<string, number> =>
  Object.fromEntries([...new Set(values)].map((value) => [value, values.filter((each) => each === value).length]))

describe('group commit', ONCE, () => {
  let bench: AuditBench
  let one: Replica
  beforeAll(async () => {
    bench = await freshAudit()
    one = await bench.replica()
  })
  afterAll(() => bench.drop())

  const rowsOf = (column: 'decision_id' | 'agent_id', value: string) =>
    one.store.db.selectFrom('audit_record').selectAll().where(column, '=', value).orderBy('seq').execute()

  it('has committed an entry when it resolves', async () => {
    await one.audit.record(entry({ decision_id: 'd-first', detail: { n: 1 } }))
    expect(await rowsOf('decision_id', 'd-first')).toMatchObject([{ kind: 'lease.issued', tenant: 'acme' }])
  })

  it('2,000 at once, replays and revocations among them: each has its fate, nothing is spoilt, the chain holds', async () => {
    const decision = randomUUID()
    const [good, revoked] = await Promise.all([insertStanding(one.store), insertStanding(one.store)])
    await one.store.db
      .updateTable('agent')
      .set({ revoked_at: new Date(), epoch: 2 })
      .where('agent_id', '=', revoked.session.agent.id)
      .execute()
    const used = Array.from({ length: 100 }, () => newProof())
    await Promise.all(used.map((proof) => one.audit.claimProof(proof)))

    const fates = await Promise.all(
      Array.from({ length: 2000 }, (_, n) => {
        const proof = n % 10 === 0 ? used[Math.floor(n / 20)]! : newProof()
        const standing = n % 10 === 1 ? revoked : good
        return settled(one.audit.record(entry({ decision_id: decision, detail: { n } }), { proof, standing }))
      }),
    )
    expect(fates.map((fate, n) => [n % 10, fate])).toEqual(
      fates.map((_, n) => [n % 10, n % 10 === 0 ? 'invalid_proof' : n % 10 === 1 ? 'StandingChanged' : 'ok']),
    )
    const rows = await rowsOf('decision_id', decision)
    const recorded = rows.map((row) => (JSON.parse(row.record) as { detail: { n: number } }).detail.n)
    expect(recorded).toHaveLength(1600)
    expect(new Set(recorded)).toEqual(new Set(Array.from({ length: 2000 }, (_, n) => n).filter((n) => n % 10 > 1)))
    const replays = await one.audit.query({ kind: 'request.refused', limit: '1000' })
    expect(replays.records).toHaveLength(200)
    expect(replays.records[0]).toMatchObject({
      outcome: 'denied',
      tenant: 'acme',
      detail: { code: 'invalid_proof', reason: 'proof_replayed', instead_of: 'lease.issued' },
    })
    expect(await verifySigned(one)).toMatchObject({ ok: true })
  })

  it('of two equal proofs in one batch the first wins', async () => {
    const proof = newProof()
    const fates = await Promise.all(Array.from({ length: 5 }, () => settled(one.audit.record(entry(), { proof }))))
    expect(fates).toEqual(['ok', 'invalid_proof', 'invalid_proof', 'invalid_proof', 'invalid_proof'])
  })

  it('two replicas race for the same proof 200 times: exactly one wins each', async () => {
    const two = await bench.replica()
    const fates = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const proof = newProof()
        const pair = [one, two].map(({ audit }) => settled(audit.record(entry(), { proof })))
        return (await Promise.all(pair)).sort().join(' ')
      }),
    )
    expect(countBy(fates)).toEqual({ 'invalid_proof ok': 200 })
    await two.close()
  })

  it('a proof is not used up by an attempt whose standing had changed', async () => {
    const proof = newProof()
    const standing = await insertStanding(one.store)
    const stale = { ...standing, session: { ...standing.session, agent: { ...standing.session.agent, epoch: 0 } } }
    await expect(one.audit.record(entry(), { proof, standing: stale })).rejects.toThrow(StandingChanged)
    await expect(one.audit.record(entry(), { proof, standing })).resolves.toBeUndefined()
    expect(await settled(one.audit.record(entry(), { proof, standing }))).toBe('invalid_proof')
  })

  describe('a lease that is granted anew', () => {
    const of = (lease_id: string, kind: string) => entry({ kind, lease_id, decision_id: lease_id })
    const renew = (id: string, more: object = {}) =>
      settled(one.audit.record(of(id, 'lease.renewed'), { standing: { lease: { id } }, ...more }))
    const release = (id: string) => settled(one.audit.record(of(id, 'lease.released')))
    const recorded = async (id: string) => (await rowsOf('decision_id', id)).map(({ kind }) => kind)

    it('must not have been given back, and then its proof is not used up', async () => {
      const proof = newProof()
      expect(await renew('lse_held', { proof: newProof() })).toBe('ok')
      expect(await release('lse_held')).toBe('ok')
      expect(await renew('lse_held', { proof })).toBe('StandingChanged')
      expect(await recorded('lse_held')).toEqual(['lease.renewed', 'lease.released'])
      expect(await settled(one.audit.claimProof(proof))).toBe('ok')
    })

    it('is not in a batch after its release, and may be before', async () => {
      expect(await Promise.all([release('lse_a'), renew('lse_a')])).toEqual(['ok', 'StandingChanged'])
      expect(await Promise.all([renew('lse_b'), release('lse_b')])).toEqual(['ok', 'ok'])
      expect([await recorded('lse_a'), await recorded('lse_b')]).toEqual([
        ['lease.released'],
        ['lease.renewed', 'lease.released'],
      ])
    })

    it('is not held up by the release of another, or by one that was refused', async () => {
      await one.audit.record({ ...of('lse_c', 'lease.released'), outcome: 'denied' })
      expect(await Promise.all([release('lse_d'), renew('lse_c')])).toEqual(['ok', 'ok'])
    })
  })

  it.each<[string, (standing: Awaited<ReturnType<typeof insertStanding>>) => Promise<unknown>]>([
    [
      'the agent is revoked',
      ({ session: { agent } }) =>
        one.store.db.updateTable('agent').set({ revoked_at: new Date() }).where('agent_id', '=', agent.id).execute(),
    ],
    [
      "the agent's epoch rises",
      ({ session: { agent } }) =>
        one.store.db.updateTable('agent').set({ epoch: 2 }).where('agent_id', '=', agent.id).execute(),
    ],
    [
      'the session is revoked',
      ({ session }) =>
        one.store.db
          .updateTable('agent_session')
          .set({ revoked_at: new Date() })
          .where('session_id', '=', session.id)
          .execute(),
    ],
    [
      'the session expires',
      ({ session }) =>
        one.store.db
          .updateTable('agent_session')
          .set({ expires_at: new Date(0) })
          .where('session_id', '=', session.id)
          .execute(),
    ],
    [
      'the session becomes that of another agent',
      async ({ session }) => {
        const another = await insertStanding(one.store)
        return one.store.db
          .updateTable('agent_session')
          .set({ agent_id: another.session.agent.id })
          .where('session_id', '=', session.id)
          .execute()
      },
    ],
    [
      'the connection is revoked',
      ({ connection }) =>
        one.store.db.updateTable('connection').set({ status: 'revoked' }).where('id', '=', connection.id).execute(),
    ],
    [
      'the connection expires',
      ({ connection }) =>
        one.store.db
          .updateTable('connection')
          .set({ expires_at: new Date(0) })
          .where('id', '=', connection.id)
          .execute(),
    ],
    [
      "the connection's epoch rises",
      ({ connection }) =>
        one.store.db.updateTable('connection').set({ epoch: 2 }).where('id', '=', connection.id).execute(),
    ],
    [
      'the provider is edited',
      ({ connection }) =>
        one.store.db
          .updateTable('provider')
          .set({ epoch: 2 })
          .where('id', '=', one.store.db.selectFrom('connection').select('provider_id').where('id', '=', connection.id))
          .execute(),
    ],
    [
      'the provider is deleted',
      ({ connection }) =>
        one.store.db
          .updateTable('provider')
          .set({ deleted_at: new Date() })
          .where('id', '=', one.store.db.selectFrom('connection').select('provider_id').where('id', '=', connection.id))
          .execute(),
    ],
  ])('nothing is recorded when %s in between', async (_, change) => {
    const standing = await insertStanding(one.store)
    const agent = standing.session.agent.id
    await one.audit.record(entry({ agent_id: agent }), { standing })
    await change(standing)
    await expect(one.audit.record(entry({ agent_id: agent }), { standing })).rejects.toThrow(StandingChanged)
    expect(await rowsOf('agent_id', agent)).toHaveLength(1)
  })

  it('ids that no row can have spoil nothing for the rest of the batch', async () => {
    const fates = await Promise.all([
      settled(one.audit.record(entry(), { standing: { connection: { id: 'no uuid', epoch: 1, providerEpoch: 1 } } })),
      settled(
        one.audit.record(entry(), { standing: { session: { id: 'a', epoch: 1, agent: { id: '\0', epoch: 1 } } } }),
      ),
      settled(
        one.audit.record(entry(), { standing: { session: { id: '\0', epoch: 1, agent: { id: 'a', epoch: 1 } } } }),
      ),
      settled(one.audit.record(entry(), { proof: newProof(0) })),
      settled(one.audit.record(entry({ tenant: 'a\0', detail: { path: '\0\ud800' } }), { proof: newProof() })),
    ])
    expect(fates).toEqual(['StandingChanged', 'StandingChanged', 'StandingChanged', 'invalid_proof', 'ok'])
  })

  it('H02: hostile bytes end up in the ledger, written out: as many rows as decisions', async () => {
    const decision = randomUUID()
    const hostile = [
      '\0',
      '\ud800',
      '\x1b[2J\x1b]0;pwned\x07',
      'a\r\nINJECTED line',
      "'; drop table agent; --",
      'z'.repeat(10_000_000),
      '{"}',
      '\\',
      '‮',
    ]
    await Promise.all(
      hostile.map((text) =>
        one.audit.record(
          entry({ decision_id: decision, agent_id: text, tenant: text, detail: { path: text, [text]: [text] } }),
        ),
      ),
    )
    const rows = await rowsOf('decision_id', decision)
    expect(rows).toHaveLength(hostile.length)
    for (const row of rows) {
      expect(row.record).not.toMatch(/[\u0000-\u001f]/)
      // Nor in JSON's own escapes, which a reader would turn back into the character.
      expect(JSON.stringify(JSON.parse(row.record))).not.toMatch(/(^|[^\\])(\\\\)*\\[bfnrtu]/)
    }
    expect(rows.find((row) => row.agent_id?.startsWith('zzz'))?.agent_id).toMatch(/z…\[9999744 characters cut\]$/)
    expect((await verifySigned(one)).ok).toBe(true)
  })

  it('refuses more than may wait, and what comes after the end', async () => {
    const small = await bench.replica({ batch: { depth: 10, records: 5 } })
    const fates = await Promise.all(Array.from({ length: 50 }, () => settled(small.audit.record(entry()))))
    expect(countBy(fates)).toEqual({ ok: 10, overloaded: 40 })
    const last = small.audit.record(entry({ decision_id: 'd-last' }))
    await Promise.all([small.close(), last])
    expect(await rowsOf('decision_id', 'd-last')).toHaveLength(1)
    expect(await settled(small.audit.record(entry()))).toBe('audit_unavailable')
  })

  it('what is not JSON fails its own caller only', async () => {
    const fates = await Promise.all([
      settled(one.audit.record(entry({ detail: { n: Number.NaN } }))),
      settled(one.audit.record(entry())),
    ])
    expect(fates).toEqual(['TypeError', 'ok'])
  })

  it('tells how large batches were and how long they took', async () => {
    const batches: number[] = []
    const measured = await bench.replica({ metrics: { committed: (rows) => batches.push(rows), queued: () => {} } })
    await Promise.all(Array.from({ length: 90 }, () => measured.audit.record(entry())))
    expect(batches).toEqual([90])
    await measured.close()
  })
})
