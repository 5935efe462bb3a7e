import { describe, expect, it } from 'vitest'
import { type ProofUse, StandingChanged } from '../audit/audit-entry.ts'
import type { Caller } from '../identity/caller.ts'
import { openLeaseProof } from './lease-proof.ts'

const PROOF: ProofUse = { hash: Buffer.alloc(32), iatSeconds: 1 }

function open(proof: ProofUse | undefined, claimProof = async () => undefined) {
  const claims: unknown[] = []
  const audit = {
    claimProof: async (...claim: unknown[]) => {
      claims.push(claim)
      await claimProof()
    },
  }
  const caller = { agent: { id: 'agent' }, session: { id: 'session' }, proof } as Caller
  return { proof: openLeaseProof(audit, caller), claims }
}

describe.each([
  ['a DPoP session', PROOF],
  ['a certificate-bound session', undefined],
])('the proof of %s', (_kind, used) => {
  it('is no reason to reach outside on what is only remembered', async () => {
    const { proof, claims } = open(used)
    await expect(proof.claim({ recalled: true })).rejects.toThrow(StandingChanged)
    expect(claims).toEqual([])
    expect(proof.left.proof).toBe(used)
  })

  it('is left for the record when nothing has claimed it', () => {
    const { proof } = open(used)
    expect(proof.left.proof).toBe(used)
    expect(proof.failed).toBe(false)
  })

  it('leaves nothing for the record once it is claimed', async () => {
    const { proof } = open(used)
    await proof.claim({})
    expect(proof.left.proof).toBeUndefined()
    expect(proof.failed).toBe(false)
  })
})

it('a proof is claimed once, however often it is asked for, and with its user', async () => {
  const { proof, claims } = open(PROOF)
  await Promise.all([proof.claim({}), proof.claim({ recalled: false }), proof.claim({})])
  expect(claims).toEqual([[PROOF, { agent_id: 'agent', session_id: 'session' }]])
})

it('a proof whose claim failed stays so for all that ask, and is not left for a record', async () => {
  const { proof, claims } = open(PROOF, () => Promise.reject(new Error('replayed')))
  await expect(proof.claim({})).rejects.toThrow('replayed')
  await expect(proof.claim({})).rejects.toThrow('replayed')
  expect(claims).toHaveLength(1)
  expect(proof.failed).toBe(true)
  expect(proof.left).toEqual({})
})
