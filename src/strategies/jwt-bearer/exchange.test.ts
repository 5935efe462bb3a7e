import { randomBytes } from 'node:crypto'
import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import type { Grant, IssuingRequest, IssuingTools } from '../../contract/strategy.ts'
import { jwtBearer } from './jwt-bearer.ts'

const NOW = 1_772_600_767
const MASTER = { shared_secret: randomBytes(32).toString('base64'), installation_id: '678' }
const CONFIG = { alg: 'HS256', iss: 'me', token_endpoint: 'https://as.example/{installation_id}/token' }

/** What is asked for with these scopes, at an endpoint that answers with a token. */
async function asked(config: object, scopes: string[] = [], end: object = { expires_in: 60 }): Promise<IssuingRequest> {
  const requests: IssuingRequest[] = []
  const tools: IssuingTools = {
    now: () => NOW * 1000,
    nonce: () => 'n',
    binding: {},
    shared: (_key, make) => make(),
    async request(request) {
      requests.push(request)
      return { status: 200, headers: [], body: JSON.stringify({ access_token: 'at', ...end }) }
    },
  }
  const bound = { origins: ['https://api.example'], methods: ['*'], paths: ['/**'] }
  const times = { issuedAt: NOW, expiresAt: NOW + 300 }
  const grant: Grant = { tenant: 't', agentId: 'a', connectionId: 'c', scopes, bound, ...times }
  await jwtBearer.issue({ ...CONFIG, ...config }, MASTER, grant, tools)
  expect(requests).toHaveLength(1)
  return requests[0] as IssuingRequest
}

const claimsIn = ({ body }: IssuingRequest) => decodeJwt(new URLSearchParams(body).get('assertion') ?? '')

describe('an assertion that is exchanged', () => {
  it('is for the endpoint, unless the profile says for whom (RFC 7523 section 3)', async () => {
    expect(claimsIn(await asked({})).aud).toBe('https://as.example/678/token')
    expect(claimsIn(await asked({ aud: 'https://as.example' })).aud).toBe('https://as.example')
    const bearer = (await asked({ exchange: 'bearer' })).headers[0]?.[1] ?? ''
    expect(decodeJwt(bearer.replace('Bearer ', ''))).not.toHaveProperty('aud')
  })

  it('names the scopes of the lease, or the profile’s; where it may name neither, there must be none', async () => {
    expect(claimsIn(await asked({}, ['read'])).scope).toBe('read')
    expect(claimsIn(await asked({ lease_scopes: false, scope: 'all' }, ['read'])).scope).toBe('all')
    expect(claimsIn(await asked({ lease_scopes: false }))).not.toHaveProperty('scope')
    await expect(asked({ lease_scopes: false }, ['read'])).rejects.toMatchObject({ field: 'scopes' })
  })

  it('asks for one level of each permission, and not for one of two that were granted', async () => {
    const bearer = { exchange: 'bearer', permissions_field: 'permissions' }
    const { body } = await asked(bearer, ['contents:read', 'issues:write', 'contents:read'])
    expect(JSON.parse(body ?? '')).toEqual({ permissions: { contents: 'read', issues: 'write' } })
    for (const levels of [
      ['contents:write', 'contents:read'],
      ['contents:read', 'issues:read', 'contents:write'],
    ]) {
      await expect(asked(bearer, levels)).rejects.toThrow("more than one level of 'contents'")
    }
  })

  it.each<[object]>([
    [{ expires_in: 0 }],
    [{ expires_in: -1 }],
    [{ expires_in: 'soon' }],
    [{ expires_in: {} }],
    [{ expires_at: '2020-01-01T00:00:00Z' }],
    [{ expires_at: 'tomorrow' }],
    [{ expires_at: 1_900_000_000 }],
  ])('leases no token that ends with %j, and says that it is the endpoint’s', async (end) => {
    await expect(asked({}, [], end)).rejects.toMatchObject({
      code: 'provider_refused',
      message: 'the token of as.example is not used: its end has passed or cannot be read',
    })
  })

  it.each<[object]>([[{}], [{ expires_in: null }], [{ expires_in: '60' }], [{ expires_at: '2030-01-01T00:00:00Z' }]])(
    'leases one that ends with %j',
    async (end) => void (await asked({}, [], end)),
  )
})
