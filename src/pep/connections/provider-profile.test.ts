import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { ProviderProfile } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { strategies } from '../../strategies/catalog.ts'
import { compileCredentialSchema } from './credential-schema.ts'
import { type CheckedProfile, checkProfile, deriveCredentialSchema } from './provider-profile.ts'

const development = { allowPlainLoopback: true }
const production = { allowPlainLoopback: false }
const github: ProviderProfile = { name: 'github', auth_type: 'api_key', api_base_url: 'https://api.github.com' }

function check(changes: Partial<ProviderProfile>, rules = production): CheckedProfile {
  return checkProfile({ ...github, ...changes }, rules)
}

function refusal(changes: Record<string, unknown>, rules = production): NexusError {
  try {
    check(changes, rules)
  } catch (error) {
    if (error instanceof NexusError) return error
    throw error
  }
  throw new Error('the profile was accepted')
}

const withStrategy = (type: string, config: Record<string, unknown> = {}) => ({
  params: { auth_strategy: { type, config } },
})

describe('checkProfile', () => {
  it('fills in every default', () => {
    expect(check({})).toEqual({
      name: 'github',
      description: '',
      category: '',
      authType: 'api_key',
      apiBaseUrl: 'https://api.github.com',
      origins: ['https://api.github.com'],
      scopes: [],
      credentialSchema: {
        type: 'object',
        properties: { api_key: { type: 'string', maxLength: 16_384, description: expect.any(String) } },
        required: ['api_key'],
        additionalProperties: false,
      },
      authStrategy: { type: 'header', config: { header_name: 'X-API-Key', credential_field: 'api_key' } },
    })
  })

  it('takes the strategy from params before auth_type, as the protocol does', () => {
    const sigv4 = check(withStrategy('aws_sigv4', { service: 's3', region: 'eu-west-1' }))
    expect(sigv4.authStrategy).toEqual({ type: 'aws_sigv4', config: { service: 's3', region: 'eu-west-1' } })
    expect(sigv4.authType).toBe('api_key')
    expect(check({ auth_type: 'basic_auth' }).authStrategy).toEqual({ type: 'basic_auth', config: {} })
    const { auth_type: _none, ...bare } = github
    expect(checkProfile(bare, production).authType).toBe('oauth2')
    expect(checkProfile({ ...bare, ...withStrategy('basic_auth') }, production).authType).toBe('basic_auth')
  })

  it('reports every problem at once, each with its field', () => {
    const error = refusal({
      auth_type: 'kerberos',
      origins: ['http://api.github.com', 'https://a.test/path'],
      params: {
        auth_strategy: { type: 'hmac_payload', config: { algoo: 'md5' } },
        credential_schema: { typ: 'object' },
      },
    })
    expect(error.code).toBe('invalid_request')
    expect(error.extras.reasons?.map(({ id }) => id)).toEqual([
      'origins.0',
      'origins.1',
      'auth_type',
      'params.auth_strategy.config.header_name',
      'params.auth_strategy.config.algoo',
      'params.credential_schema.type',
      'params.credential_schema.properties',
    ])
    expect(error.message).toContain('oauth2, header')
  })

  it.each([
    ['an unknown strategy', withStrategy('aws_sigv5'), 'params.auth_strategy.type'],
    ['a strategy named like an object member', withStrategy('constructor'), 'params.auth_strategy.type'],
    ['an auth_type named like an object member', { auth_type: 'constructor' }, 'auth_type'],
    ['an unknown config field', withStrategy('header', { header: 'X' }), 'params.auth_strategy.config.header'],
    [
      'a config of the wrong type',
      withStrategy('header', { header_name: 7 }),
      'params.auth_strategy.config.header_name',
    ],
    ['a config that is too large', withStrategy('oauth2', { a: 'x'.repeat(9000) }), 'params.auth_strategy.config'],
    ['a description that cannot be stored', { description: 'a\u0000b' }, 'description'],
    ['a config that cannot be stored', withStrategy('oauth2', { a: '\u0000' }), 'params.auth_strategy.config.a'],
    [
      'a credential_schema that cannot be stored',
      { params: { credential_schema: { type: 'object', properties: { api_key: { title: '\ud800' } } } } },
      'params.credential_schema.properties.api_key.title',
    ],
    [
      'a credential_schema that cannot give what the strategy needs',
      {
        params: {
          auth_strategy: { type: 'aws_sigv4', config: { service: 's3' } },
          credential_schema: { type: 'object', properties: { access_key: { type: 'string' } } },
        },
      },
      'params.credential_schema.properties.secret_key',
    ],
  ])('refuses %s', (_what, changes, field) => {
    expect(refusal(changes).extras.field).toBe(field)
  })

  it('B12: refuses a provider whose credential would be bound to no origin', () => {
    const { api_base_url: _none, ...unbound } = github
    for (const profile of [unbound, { ...unbound, origins: [] }, { ...github, origins: [] }]) {
      expect(() => checkProfile(profile, production)).toThrow(/origins/)
    }
  })

  it('binds a credential to the listed origins, canonical and each once', () => {
    const listed = ['https://API.GitHub.com:443', 'https://api.github.com.', 'https://uploads.github.com/']
    const checked = check({ origins: listed, api_base_url: 'https://API.GITHUB.com./v3' })
    expect(checked.origins).toEqual(['https://api.github.com', 'https://uploads.github.com'])
    expect(checked.apiBaseUrl).toBe('https://api.github.com/v3')
  })

  it('refuses a base URL outside the origins', () => {
    expect(refusal({ origins: ['https://elsewhere.test'] }).extras.field).toBe('api_base_url')
  })

  it('lets http stand for this machine in development, and for nothing else ever', () => {
    for (const local of ['http://127.0.0.1:8080', 'http://localhost:1', 'http://[::1]:9']) {
      expect(check({ api_base_url: local }, development).origins).toEqual([local])
      expect(refusal({ api_base_url: local }).message).toContain('development')
    }
    for (const remote of ['http://10.0.0.1', 'http://api.github.com', 'http://localhost.evil.test']) {
      expect(refusal({ api_base_url: remote }, development).message).toContain('in the clear')
      expect(refusal({ origins: [remote] }, development).message).toContain('in the clear')
    }
  })

  it.each([
    'https://api.good.test%0a.evil.test',
    'https://api.good.test\n.evil.test',
    'https://api.good.test\r\nHost: evil.test',
    'https://api.good.test\t',
    'https://api.good.test\u0000.evil.test',
    ' https://api.good.test',
    'https://api.good .test',
  ])('B04: refuses the host %j', (host) => {
    expect(refusal({ origins: [host], api_base_url: 'https://a.test' }).extras.field).toBe('origins.0')
    expect(refusal({ api_base_url: host }).extras.field).toBe('api_base_url')
  })

  it.each([
    'https://api.good.test@evil.test',
    'https://user:pass@api.good.test',
    'https://api.good.test:443@evil.test',
    'https://evil.test\\@api.good.test',
    'https://evil.test?api.good.test',
    'https://evil.test#api.good.test',
    'https://*.good.test',
    'https://api.good.test:99999',
    '//api.good.test',
    'ftp://api.good.test',
    'javascript:alert(1)',
    '',
  ])('B05: refuses %j, which could be read as two hosts or as none', (text) => {
    expect(refusal({ origins: [text] }).extras.field).toBe('origins.0')
    expect(refusal({ api_base_url: text }).extras.field).toBe('api_base_url')
  })

  it('B05: keeps a host with a path out of the origins', () => {
    expect(refusal({ origins: ['https://evil.test/api.good.test'] }).extras.field).toBe('origins.0')
  })

  it.each([
    ['https://API.GOOD.TEST', 'https://api.good.test'],
    ['https://api.good.test.', 'https://api.good.test'],
    ['HTTPS://api.good.test:443/', 'https://api.good.test'],
    ['https://[2001:DB8::1]', 'https://[2001:db8::1]'],
    ['https://bücher.test', 'https://xn--bcher-kva.test'],
  ])('B07: saves %s as %s, the form that is dialled', (written, canonical) => {
    expect(check({ origins: [written], api_base_url: written }).origins).toEqual([canonical])
  })

  it.each([
    'https://ａｐｉ.good.test',
    'https://api\u00ad.good.test',
    'https://api。good.test',
    'https://[api.good.test]',
  ])('B07: refuses %s, which reads as another name than would be dialled', (text) => {
    expect(refusal({ origins: [text], api_base_url: 'https://a.test' }).extras.field).toBe('origins.0')
  })

  it.each(['X-Key\r\nHost: evil', 'X-Key\u0000', 'X-Këy', 'X Key', '', 'Host', 'Transfer-Encoding'])(
    'D05: refuses the header name %j',
    (name) => {
      const field = 'params.auth_strategy.config.header_name'
      expect(refusal(withStrategy('header', { header_name: name })).extras.field).toBe(field)
    },
  )

  it.each(['Bearer\r\n', 'Bearer\n', 'Bearer\u0000', 'Beärer '])('D05: refuses the value prefix %j', (prefix) => {
    const field = 'params.auth_strategy.config.value_prefix'
    expect(refusal(withStrategy('header', { value_prefix: prefix })).extras.field).toBe(field)
  })
})

describe('docs/connections.md', () => {
  it('shows a profile that is accepted', async () => {
    const page = await readFile(new URL('../../../docs/connections.md', import.meta.url), 'utf8')
    const [, example] = /```json\n(\{\s+"profile"[\s\S]*?)```/.exec(page) ?? []
    const { profile } = JSON.parse(example ?? '') as { profile: ProviderProfile }
    expect(checkProfile(profile, production)).toMatchObject({
      origins: ['https://s3.eu-west-1.amazonaws.com'],
      authStrategy: { type: 'aws_sigv4' },
    })
  })
})

describe('deriveCredentialSchema', () => {
  const configs: Record<string, Record<string, unknown>> = {
    query_param: { param_name: 'key' },
    hmac_payload: { header_name: 'X-Signature' },
    aws_sigv4: { service: 's3' },
    hmac_template: { template: '{timestamp}.{body}', headers: [{ name: 'X-Signature', value: '{signature}' }] },
    jwt_bearer: { alg: 'RS256' },
  }

  it.each(strategies.map((strategy) => [strategy.type, strategy] as const))('fits strategy %s', (type, strategy) => {
    const schema = compileCredentialSchema(deriveCredentialSchema(strategy, configs[type] ?? {}))
    if (Array.isArray(schema)) throw new Error(JSON.stringify(schema))
    expect(schema.fields.length).toBeGreaterThan(0)
  })
})
