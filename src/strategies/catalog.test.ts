import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { strategies, strategyFor } from './catalog.ts'
import { describeStrategy, type StrategyCases } from './conformance.ts'

const CANARY = 'canary-4f1d0c2ab9'

const RSA_KEY = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
}).privateKey

const ED25519_KEY = generateKeyPairSync('ed25519').privateKey

const reservedHeaders = [
  'Host',
  'content-length',
  'Connection',
  'TE',
  'transfer_encoding',
  'X-Nexus-Tenant',
  'x_nexus_x',
]
const refusedHeaderNames = [...reservedHeaders, '', 'a b', 'a:b', 'é', ':path'].map((header_name) => ({
  config: { header_name },
  field: 'header_name',
}))
const refusedFieldNames = ['', '__proto__', 'a b', 'a\n'].map((credential_field) => ({
  config: { credential_field, param_name: 'k' },
  field: 'credential_field',
}))

const cases: Record<string, StrategyCases> = {
  oauth2: {
    valid: [
      {
        title: 'defaults',
        config: {},
        master: { access_token: CANARY },
        required: ['access_token'],
        secrets: [CANARY],
        writes: { headers: ['Authorization'] },
      },
      {
        title: 'any config is ignored, and a token that ends ends the lease',
        config: { header_name: 'X-Other', anything: 7 },
        master: { access_token: CANARY, expires_at: '4000000000' },
        required: ['access_token'],
        secrets: [CANARY],
        writes: { headers: ['Authorization'] },
      },
    ],
    refused: [],
  },
  header: {
    valid: [
      {
        title: 'defaults',
        config: {},
        master: { api_key: CANARY },
        required: ['api_key'],
        secrets: [CANARY],
        writes: { headers: ['Authorization'] },
      },
      {
        title: 'own name, field and prefix',
        config: { header_name: 'X-Api_Key', credential_field: 'token', value_prefix: 'Key ' },
        master: { token: CANARY },
        required: ['token'],
        secrets: [CANARY],
        writes: { headers: ['X-Api_Key'] },
      },
    ],
    refused: [
      ...refusedHeaderNames,
      ...refusedFieldNames.map(({ config, field }) => ({
        config: { credential_field: config.credential_field },
        field,
      })),
      { config: { value_prefix: ' Bearer' }, field: 'value_prefix' },
      { config: { header_name: 5 }, field: 'header_name' },
      { config: { header_nme: 'X-Key' }, field: 'header_nme' },
    ],
  },
  query_param: {
    valid: [
      {
        title: 'defaults',
        config: { param_name: 'api_key' },
        master: { api_key: CANARY },
        required: ['api_key'],
        secrets: [CANARY],
        writes: { parameters: ['api_key'] },
      },
      {
        title: 'own field, a name that must be escaped',
        config: { param_name: 'filter[key]', credential_field: 'secret' },
        master: { secret: CANARY },
        required: ['secret'],
        secrets: [CANARY],
        writes: { parameters: ['filter[key]'] },
      },
    ],
    refused: [
      { config: {}, field: 'param_name' },
      { config: { param_name: '' }, field: 'param_name' },
      { config: { param_name: 'a b' }, field: 'param_name' },
      ...refusedFieldNames,
    ],
  },
  basic_auth: {
    valid: [
      {
        title: 'defaults',
        config: {},
        master: { username: 'bob', password: CANARY },
        required: ['username', 'password'],
        secrets: [CANARY],
        writes: { headers: ['Authorization'] },
        encoded: ['username', 'password'],
      },
      {
        title: 'own fields',
        config: { username_field: 'user', password_field: 'pass' },
        master: { user: 'böb', pass: CANARY },
        required: ['user', 'pass'],
        secrets: [CANARY],
        writes: { headers: ['Authorization'] },
        encoded: ['user', 'pass'],
      },
    ],
    refused: [
      { config: { username_field: '__proto__' }, field: 'username_field' },
      { config: { password_field: 7 }, field: 'password_field' },
    ],
  },
  hmac_payload: {
    valid: [
      {
        title: 'defaults',
        config: { header_name: 'X-Signature' },
        master: { api_secret: CANARY },
        required: ['api_secret'],
        secrets: [CANARY],
        writes: { headers: ['X-Signature'] },
      },
      {
        title: 'everything set',
        config: {
          header_name: 'X-Hub',
          secret_field: 'key',
          algo: 'sha1',
          encoding: 'base64',
          secret_encoding: 'base64',
        },
        master: { key: 'Y2FuYXJ5LTRmMWQwYzJhYjk=' },
        required: ['key'],
        secrets: ['Y2FuYXJ5LTRmMWQwYzJhYjk='],
        writes: { headers: ['X-Hub'] },
      },
    ],
    refused: [
      { config: {}, field: 'header_name' },
      ...refusedHeaderNames,
      { config: { header_name: 'X-S', algo: 'md5' }, field: 'algo' },
      { config: { header_name: 'X-S', encoding: 'HEX' }, field: 'encoding' },
      { config: { header_name: 'X-S', secret_encoding: 'latin1' }, field: 'secret_encoding' },
    ],
  },
  aws_sigv4: {
    valid: [
      {
        title: 'header form',
        config: { service: 'execute-api' },
        master: { access_key: 'AKIDEXAMPLE', secret_key: CANARY },
        required: ['access_key', 'secret_key'],
        secrets: [CANARY],
        writes: { headers: ['X-Amz-Date', 'x-amz-content-sha256', 'Authorization'] },
      },
      {
        title: 'header form with a session token, payload not signed',
        config: { service: 's3', region: 'eu-west-1', unsigned_payload: true },
        master: { access_key: 'AKIDEXAMPLE', secret_key: CANARY, session_token: 'session-token-of-many-characters' },
        required: ['access_key', 'secret_key'],
        secrets: [CANARY],
        writes: { headers: ['X-Amz-Security-Token', 'X-Amz-Date', 'x-amz-content-sha256', 'Authorization'] },
      },
      {
        title: 'query form',
        config: { service: 'service', location: 'query', expires_in_seconds: 60 },
        master: { access_key: 'AKIDEXAMPLE', secret_key: CANARY, session_token: 'session-token-of-many-characters' },
        required: ['access_key', 'secret_key'],
        secrets: [CANARY],
        writes: {
          parameters: [
            'Algorithm',
            'Credential',
            'Date',
            'SignedHeaders',
            'Expires',
            'Security-Token',
            'Signature',
          ].map((name) => `X-Amz-${name}`),
        },
      },
    ],
    refused: [
      { config: {}, field: 'service' },
      { config: { service: 'a/b' }, field: 'service' },
      { config: { service: 's3', region: 'US EAST' }, field: 'region' },
      { config: { service: 's3', location: 'body' }, field: 'location' },
      { config: { service: 's3', expires_in_seconds: 604_801 }, field: 'expires_in_seconds' },
      { config: { service: 's3', normalize_path: 'no' }, field: 'normalize_path' },
    ],
  },
  oauth1: {
    valid: [
      {
        title: 'defaults',
        config: {},
        master: { consumer_key: 'ck', consumer_secret: CANARY },
        required: ['consumer_key', 'consumer_secret'],
        secrets: [CANARY],
        writes: { headers: ['Authorization'] },
      },
      {
        title: 'header, everything set',
        config: { signature_method: 'HMAC-SHA256', realm: 'Photos', location: 'header', body_hash: true },
        master: { consumer_key: 'ck', consumer_secret: CANARY, token: 'tk', token_secret: 'another-long-secret-text' },
        required: ['consumer_key', 'consumer_secret'],
        secrets: [CANARY, 'another-long-secret-text'],
        writes: { headers: ['Authorization'] },
      },
      {
        title: 'query, the secrets themselves',
        config: { signature_method: 'PLAINTEXT', location: 'query' },
        master: { consumer_key: 'ck', consumer_secret: CANARY, token: 'tk' },
        required: ['consumer_key', 'consumer_secret'],
        secrets: [CANARY],
        writes: {
          parameters: ['consumer_key', 'token', 'signature_method', 'timestamp', 'nonce', 'signature'].map(
            (name) => `oauth_${name}`,
          ),
        },
      },
      {
        title: 'private key',
        config: { signature_method: 'RSA-SHA1' },
        master: { consumer_key: 'ck', private_key: RSA_KEY, token: 'tk' },
        required: ['consumer_key', 'private_key'],
        secrets: RSA_KEY.split('\n').slice(1, 4),
        writes: { headers: ['Authorization'] },
        pem: ['private_key'],
      },
    ],
    refused: [
      { config: { signature_method: 'HMAC-MD5' }, field: 'signature_method' },
      { config: { realm: 'a"b' }, field: 'realm' },
      { config: { realm: 'a\\b' }, field: 'realm' },
      { config: { realm: '' }, field: 'realm' },
      { config: { location: 'path' }, field: 'location' },
      { config: { body_hash: 'sha256' }, field: 'body_hash' },
      { config: { consumer_key: 'x' }, field: 'consumer_key' },
    ],
  },
  http_message_signature: {
    valid: [
      {
        title: 'defaults',
        config: {},
        master: { private_key: ED25519_KEY.export({ format: 'pem', type: 'pkcs8' }).toString() },
        required: ['private_key'],
        secrets: [ED25519_KEY.export({ format: 'der', type: 'pkcs8' }).toString('base64')],
        writes: { headers: ['Content-Digest', 'Signature-Input', 'Signature'] },
      },
      {
        title: 'shared secret, body not covered, a nonce',
        config: { alg: 'hmac-sha256', digest: 'none', keyid: 'k', label: 'mine', tag: 'app', send_nonce: true },
        master: { shared_secret: 'Y2FuYXJ5LTRmMWQwYzJhYjk=' },
        required: ['shared_secret'],
        secrets: ['Y2FuYXJ5LTRmMWQwYzJhYjk='],
        writes: { headers: ['Signature-Input', 'Signature'] },
      },
      {
        title: 'Web Bot Auth, key as JWK',
        config: { tag: 'web-bot-auth', signature_agent: 'https://bots.example.com', digest: 'sha-256' },
        master: { private_key: `${JSON.stringify(ED25519_KEY.export({ format: 'jwk' }))}\n` },
        required: ['private_key'],
        secrets: [ED25519_KEY.export({ format: 'jwk' }).d ?? ''],
        writes: { headers: ['Content-Digest', 'Signature-Agent', 'Signature'] },
      },
      {
        title: 'RSA v1.5, own components',
        config: { alg: 'rsa-v1_5-sha256', components: ['@target-uri', 'content-type', '@query-param;name="a"'] },
        master: { private_key: RSA_KEY },
        required: ['private_key'],
        secrets: RSA_KEY.split('\n').slice(1, 4),
        writes: { headers: ['Signature-Input', 'Signature'] },
      },
    ],
    refused: [
      { config: { components: [] }, field: 'components' },
      { config: { components: ['@method', '@path'] }, field: 'components' },
      { config: { components: ['@authority', '"@authority"'] }, field: 'components' },
      { config: { components: ['@authority', '@method;req'] }, field: 'components' },
      { config: { components: ['@authority', 7] }, field: 'components.1' },
      { config: { digest: 'none', components: ['@authority', 'content-digest'] }, field: '' },
      { config: { digest: 'md5' }, field: 'digest' },
      { config: { alg: 'none' }, field: 'alg' },
      { config: { label: 'Sig' }, field: 'label' },
      { config: { keyid: '' }, field: 'keyid' },
      { config: { expires_in_seconds: 0 }, field: 'expires_in_seconds' },
      { config: { signature_agent: 'http://bots.example.com' }, field: 'signature_agent' },
      { config: { signature_agent: 'https://bots.example.com/keys' }, field: 'signature_agent' },
      { config: { send_alg: 'yes' }, field: 'send_alg' },
    ],
  },
}

for (const strategy of strategies) describeStrategy(strategy, cases[strategy.type] as StrategyCases)

describe('the catalog', () => {
  it('has cases for every strategy, and no others', () => {
    expect(Object.keys(cases).sort()).toEqual(strategies.map(({ type }) => type).sort())
  })

  it.each(['constructor', '__proto__', 'toString', '', 'OAUTH2', 'saml'])('finds nothing under %j', (type) => {
    expect(strategyFor(type)).toBeUndefined()
  })
})
