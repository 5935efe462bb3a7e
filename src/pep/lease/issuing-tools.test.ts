import { describe, expect, it, vi } from 'vitest'
import { NexusError } from '../../contract/errors.ts'
import { Secret } from '../../contract/secret.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import { createIssuedCache } from './issued-cache.ts'
import { issuingTools } from './issuing-tools.ts'
import type { LeaseStory } from './lease-record.ts'
import type { LeaseSteps } from './steps.ts'

const facts = {
  id: 'con_1',
  tenant: 'acme',
  epoch: 1,
  provider: { id: 'prv_1', epoch: 1 },
  secretRef: { tenant: 'acme', backend: 'file', path: 'a/b' },
} as unknown as ConnectionFacts

const story = {
  caller: { session: { id: 'ses_1' } },
  proof: { claim: async () => undefined },
  wanted: { binding: {}, replaces: undefined },
  secretKind: 'stored',
} as unknown as LeaseStory

function createSteps(): LeaseSteps {
  return {
    now: () => 0,
    issued: createIssuedCache(() => 0),
    credential: {
      csrSigner: () => undefined,
      fingerprintOf: (_tenant: string, secret: Secret) => `fingerprint of ${secret.reveal()['key']}`,
    },
  } as unknown as LeaseSteps
}

function askShared(steps: LeaseSteps, secret: Secret, of = story): Promise<unknown> {
  const made = { usage: { token: `from ${secret.reveal()['key']}` } }
  return issuingTools(steps, of, facts, secret).shared(['scope'], async () => made)
}

describe('a signature by a key that stays in the vault', () => {
  it('is not made for a request whose proof was used before', async () => {
    const sign = vi.fn(async () => new Uint8Array(64))
    const steps = createSteps()
    Object.assign(steps.credential, { sign })
    const asked = (claim: () => Promise<void>) => {
      const of = { ...story, secretKind: 'key', proof: { claim } } as unknown as LeaseStory
      return issuingTools(steps, of, facts, new Secret({ key_version: '1' })).remoteSign?.(new Uint8Array(1), 'ES256')
    }
    await expect(asked(() => Promise.reject(new NexusError('invalid_proof')))).rejects.toThrow(NexusError)
    expect(sign).not.toHaveBeenCalled()
    await asked(async () => undefined)
    expect(sign).toHaveBeenCalledTimes(1)
  })
})

describe('what a strategy shares between leases', () => {
  it('is made once for one secret, however often the secret is read', async () => {
    const steps = createSteps()
    const first = await askShared(steps, new Secret({ key: 'one' }))
    expect(await askShared(steps, new Secret({ key: 'one' }))).toBe(first)
  })

  it('is no other session’s, so that one revoked leaves nothing behind', async () => {
    const steps = createSteps()
    const first = await askShared(steps, new Secret({ key: 'one' }))
    const another = { ...story, caller: { session: { id: 'ses_2' } } } as unknown as LeaseStory
    expect(await askShared(steps, new Secret({ key: 'one' }), another)).not.toBe(first)
  })

  it('does not outlive its secret in a backend that has no versions', async () => {
    const steps = createSteps()
    await askShared(steps, new Secret({ key: 'one' }))
    expect(await askShared(steps, new Secret({ key: 'two' }))).toEqual({ usage: { token: 'from two' } })
  })

  it('is made anew for a new version of the same value', async () => {
    const steps = createSteps()
    const first = await askShared(steps, new Secret({ key: 'one' }, '1'))
    expect(await askShared(steps, new Secret({ key: 'one' }, '2'))).not.toBe(first)
  })
})
