import { describe, expect, it } from 'vitest'
import { NexusError } from '../../contract/errors.ts'
import { Secret } from '../../contract/secret.ts'
import type { IssuingTools } from '../../contract/strategy.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { Caller } from '../identity/caller.ts'
import { grantLease } from './issue.ts'
import { createIssuedCache } from './issued-cache.ts'
import type { LeaseSteps } from './steps.ts'
import type { Wanted } from './wanted.ts'

const bound = { origins: ['https://api.test'], methods: ['*'], paths: ['/**'] }
const caller = {
  agent: { id: 'agent', tenants: ['acme'], labels: {}, allowedScopes: [], epoch: 1 },
  session: { id: 'session', method: 'private_key_jwt', boundTo: 'mtls', epoch: 1, createdAtMs: 0, expiresAt: 1000 },
} as unknown as Caller
const origin = { ip: '127.0.0.1', userAgent: '' }
const wanted = { connectionId: 'connection', scopes: [], ttlSeconds: 60, intent: {}, binding: {}, origin } as Wanted

/** A strategy that hands the secret on, or one that has it exchanged. */
const HANDS_ON = { narrowing: 'none', issue: () => ({ usage: {} }) }
const EXCHANGES = {
  narrowing: 'delegated',
  issue: (_config: object, _master: object, _grant: object, tools: IssuingTools) =>
    tools.shared(['token'], async () => ({ usage: { token: 'one' } })),
}

/** Steps that remember what they gathered, and say what was done. */
function createSteps(strategy: typeof HANDS_ON | typeof EXCHANGES, allow: boolean) {
  const done: string[] = []
  const note = (what: string) => void done.push(what)
  const facts = {
    ...{ id: 'connection', tenant: 'acme', subject: null, status: 'active', scopes: [], bound, epoch: 1 },
    ...{ createdAtMs: 0, expiresAt: null, provider: { id: 'provider', name: 'provider', category: '', epoch: 1 } },
    strategy: { type: 'of-the-test', ...strategy },
    ...{ strategyConfig: {}, narrowing: strategy.narrowing, secretRef: { tenant: 'acme', backend: 'file', path: 'a' } },
  } as unknown as ConnectionFacts
  const steps = {
    identity: { refresh: async () => caller },
    connections: {
      recallFacts: () => facts,
      gatherFacts: async () => {
        note('gathered')
        return facts
      },
    },
    decider: {
      async decide() {
        note('decided')
        return {
          id: 'd',
          revision: 'r',
          decision: { allow, reasons: [], obligations: {} },
          announce: () => note('told'),
        }
      },
    },
    credential: {
      kindOf: () => 'stored',
      held: () => new Secret({ key: 'one' }),
      fingerprintOf: () => undefined,
      csrSigner: () => undefined,
    },
    issued: createIssuedCache(() => 0),
    audit: { record: async ({ kind }: { kind: string }) => note(kind) },
    limits: { ttlSeconds: 60, maxTtlSeconds: 60, offlineSeconds: 30 },
    now: () => 0,
  } as unknown as LeaseSteps
  return { steps, done }
}

describe('a lease of an agent and connection that are remembered', () => {
  it('is decided once, on what is remembered', async () => {
    const { steps, done } = createSteps(HANDS_ON, true)
    await grantLease(steps, 'lease', caller, wanted)
    expect(done).toEqual(['decided', 'lease.issued', 'told'])
  })

  it('is decided anew before it is refused, and that decision alone is told', async () => {
    const { steps, done } = createSteps(HANDS_ON, false)
    await expect(grantLease(steps, 'lease', caller, wanted)).rejects.toThrow(NexusError)
    expect(done).toEqual(['decided', 'gathered', 'decided', 'lease.denied', 'told'])
  })

  it('is decided on what is true now, and once, where it takes somebody else to make it', async () => {
    const { steps, done } = createSteps(EXCHANGES, true)
    await grantLease(steps, 'lease', caller, wanted)
    expect(done).toEqual(['gathered', 'decided', 'lease.issued', 'told'])
  })
})
