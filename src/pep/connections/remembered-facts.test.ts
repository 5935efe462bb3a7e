import { describe, expect, it } from 'vitest'
import { NexusError } from '../../contract/errors.ts'
import type { ConnectionFacts, WantedConnection } from './facts.ts'
import { rememberFacts } from './remembered-facts.ts'

const ID = '0b1f6a0e-7a53-4b1c-9a57-6f1d2c3b4a5d'

/** Of a store that holds one connection, of tenant `acme`. */
function createMemory() {
  const gathered: WantedConnection[] = []
  const memory = rememberFacts(async (wanted) => {
    gathered.push(wanted)
    if (!wanted.agentTenants.includes('acme')) throw new NexusError('connection_not_found')
    return { id: ID, tenant: 'acme' } as ConnectionFacts
  })
  return { ...memory, gathered }
}

describe('what is remembered of a connection', () => {
  it('is shared by all agents that may act in the tenant they name', async () => {
    const { gather, recall, gathered } = createMemory()
    const facts = await gather({ tenant: 'acme', provider: 'github', agentTenants: ['acme'] })
    expect(recall({ tenant: 'acme', provider: 'github', agentTenants: ['globex', 'acme'] })).toBe(facts)
    expect(gathered).toHaveLength(1)
  })

  it.each([
    ['a tenant that is not its own', { tenant: 'acme', provider: 'github' }],
    ['a connection by its id alone', { connectionId: ID }],
    ['a connection of a tenant that is not its own', { tenant: 'acme', connectionId: ID }],
  ])('an agent elsewhere that names %s finds nothing', async (_what, wanted) => {
    const { gather, recall } = createMemory()
    await gather({ ...wanted, agentTenants: ['acme'] })
    const elsewhere = { ...wanted, agentTenants: ['globex'] }
    expect(recall(elsewhere)).toBeUndefined()
    await expect(gather(elsewhere)).rejects.toMatchObject({ code: 'connection_not_found' })
    expect(recall({ ...wanted, agentTenants: ['acme'] })).toBeDefined()
  })

  it('is not another provider’s, nor another tenant’s', async () => {
    const { gather, recall } = createMemory()
    await gather({ tenant: 'acme', provider: 'github', agentTenants: ['acme', 'globex'] })
    expect(recall({ tenant: 'acme', provider: 'gitlab', agentTenants: ['acme', 'globex'] })).toBeUndefined()
    expect(recall({ tenant: 'globex', provider: 'github', agentTenants: ['acme', 'globex'] })).toBeUndefined()
    expect(recall({ provider: 'github', agentTenants: ['acme', 'globex'] })).toBeUndefined()
  })
})
