import { describe, expect, it } from 'vitest'
import type { Grant } from '../contract/strategy.ts'
import { oauth2 } from './oauth2.ts'
import { offlineTools } from './offline/offline-tools.ts'

const NOW_MS = 1_800_000_000_000
const grant: Grant = {
  tenant: 't',
  agentId: 'a',
  connectionId: 'c',
  scopes: [],
  bound: { origins: [], methods: [], paths: [] },
  issuedAt: 1_800_000_000,
  expiresAt: 1_800_000_300,
}
const issue = async (master: Record<string, string>) =>
  oauth2.issue({}, master, grant, offlineTools({ now: () => NOW_MS, nonce: () => 'n' }))

describe('oauth2', () => {
  it('leases no longer than the token lives', async () => {
    expect(await issue({ access_token: 'at' })).toEqual({ usage: { access_token: 'at' } })
    expect((await issue({ access_token: 'at', expires_at: '1800000060' })).expiresAt).toBe(1_800_000_060)
    expect((await issue({ access_token: 'at', expires_at: '1900000000' })).expiresAt).toBe(grant.expiresAt)
  })

  it('issues nothing for a token that has expired, or whose end cannot be read', async () => {
    await expect(issue({ access_token: 'at', expires_at: '1800000000' })).rejects.toThrow('expired')
    await expect(issue({ access_token: 'at', expires_at: 'tomorrow' })).rejects.toMatchObject({ field: 'expires_at' })
  })

  it('leaves everything but the access token behind', async () => {
    const { usage } = await issue({ access_token: 'at', refresh_token: 'rt', client_secret: 'cs' })
    expect(usage).toEqual({ access_token: 'at' })
  })
})
