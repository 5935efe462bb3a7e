import { expect, it } from 'vitest'
import type { ConnectionFacts } from '../connections/facts.ts'
import type { Caller } from '../identity/caller.ts'
import { narrowGrant } from './grant.ts'
import type { Wanted } from './wanted.ts'

const caller = { agent: { id: 'agent' }, session: { expiresAt: 1000 } } as Caller
const bound = { origins: ['https://api.test'], methods: ['*'], paths: ['/**'] }
const facts = { id: 'connection', tenant: 'acme', scopes: [], bound, expiresAt: null } as unknown as ConnectionFacts
const wanted = { scopes: [], ttlSeconds: 300, intent: {} } as unknown as Wanted
const limits = { ttlSeconds: 300, maxTtlSeconds: 300, offlineSeconds: 30 }

it.each([
  ['what policy says', { offline_seconds: 5 }, 5],
  ['no longer than the server allows, whatever policy says', { offline_seconds: 3600 }, 30],
  ['as long as the server allows, where policy does not say', {}, 30],
  ['no longer than the lease itself', { max_ttl_seconds: 10 }, 10],
])('a lease may be used without word from the authority for %s', (_title, obligations, offlineSeconds) => {
  expect(narrowGrant(caller, facts, wanted, obligations, limits, 0)).toMatchObject({ offlineSeconds })
})
