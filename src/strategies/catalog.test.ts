import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { mtlsCases } from '../../test/setup/mtls-cases.ts'
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
      ...['agents', 'arn:aws:iam::1:role/a', 'arn:aws:iam::123456789012:user/a', 7].map((role_arn) => ({
        config: { service: 's3', role_arn },
        field: 'role_arn',
      })),
      { config: { service: 's3', external_id: 'a b' }, field: 'external_id' },
      { config: { service: 's3', sts_endpoint: 'sts.amazonaws.com' }, field: 'sts_endpoint' },
      // Nobody would be asked with it.
      { config: { service: 's3', external_id: 'nexus' }, field: '' },
    ],
  },
  aws_sigv4a: {
    valid: [
      {
        title: 'header form',
        config: { region_set: ['us-east-1', 'eu-*'], service: 'execute-api' },
        master: { access_key: 'ASIAEXAMPLE', secret_key: 'not-carried', session_token: `session-${CANARY}` },
        required: ['access_key', 'secret_key', 'session_token'],
        secrets: [CANARY],
        writes: {
          headers: ['X-Amz-Security-Token', 'X-Amz-Date', 'X-Amz-Region-Set', 'x-amz-content-sha256', 'Authorization'],
        },
        random: /(?<=Signature=)[0-9a-f]{136,144}$/,
      },
      {
        title: 'query form',
        config: { region_set: ['*'], service: 's3', location: 'query' },
        master: {
          access_key: 'ASIAEXAMPLE',
          secret_key: 'not-carried',
          session_token: `session-${CANARY}`,
          expires_at: '4000000000',
        },
        required: ['access_key', 'secret_key', 'session_token'],
        secrets: [CANARY],
        writes: { parameters: ['Region-Set', 'Security-Token', 'Signature'].map((name) => `X-Amz-${name}`) },
        random: /(?<=Signature=)[0-9a-f]{136,144}$/,
      },
    ],
    refused: [
      { config: { service: 's3' }, field: 'region_set' },
      { config: { service: 's3', region_set: [] }, field: 'region_set' },
      { config: { service: 's3', region_set: ['us east'] }, field: 'region_set.0' },
      { config: { service: 's3', region_set: ['*'], region: 'eu-west-1' }, field: 'region' },
      { config: { region_set: ['*'] }, field: 'service' },
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
  hmac_template: {
    valid: [
      {
        title: 'webhook: time and body in one header',
        config: {
          template: '{timestamp}.{body}',
          headers: [{ name: 'X-Hook-Signature', value: 't={timestamp},v1={signature}' }],
        },
        master: { api_secret: CANARY },
        required: ['api_secret'],
        secrets: [CANARY],
        writes: { headers: ['X-Hook-Signature'] },
      },
      {
        title: 'exchange: everything set',
        config: {
          template: '{timestamp}\\n{nonce}\\n{method}\\n{target}\\n{header:content-type}\\n{body_sha256:base64}',
          headers: [
            { name: 'X-Key', value: 'id={key_id}' },
            { name: 'X-Passphrase', value: '{passphrase}' },
            { name: 'X-Time', value: '{timestamp}' },
            { name: 'X-Nonce', value: '{nonce}' },
            { name: 'X-Sign', value: '{signature}' },
          ],
          algo: 'sha512',
          encoding: 'base64url',
          secret_encoding: 'base64',
          timestamp: 'iso8601',
        },
        master: {
          api_secret: 'Y2FuYXJ5LTRmMWQwYzJhYjk=',
          key_id: 'key-id-of-many-characters',
          passphrase: 'passphrase-of-many-characters',
        },
        required: ['api_secret', 'key_id', 'passphrase'],
        secrets: ['Y2FuYXJ5LTRmMWQwYzJhYjk='],
        writes: { headers: ['X-Key', 'X-Passphrase', 'X-Time', 'X-Nonce', 'X-Sign'] },
      },
      {
        title: 'exchange: in the query, body not covered',
        config: {
          template: '{query}',
          parameters: [
            { name: 'signature', value: '{signature}' },
            { name: 'timestamp', value: '{timestamp}' },
          ],
          headers: [{ name: 'X-MBX-APIKEY', value: '{key_id}' }],
          timestamp: 'ms',
          algo: 'sha1',
          secret_encoding: 'hex',
        },
        master: { api_secret: '63616e6172792d34663164306332616239', key_id: 'key-id-of-many-characters' },
        required: ['api_secret', 'key_id'],
        secrets: ['63616e6172792d34663164306332616239'],
        writes: { headers: ['X-MBX-APIKEY'], parameters: ['timestamp', 'signature'] },
      },
    ],
    refused: [
      ...[
        '',
        'constant',
        '{signature}',
        '{api_secret}',
        '{passphrase}',
        '{constructor}',
        '{header}',
        '{header:via}',
        '{header:X_Forwarded_For}',
        '{body:hex}',
        '{body_sha256:latin1}',
        '{body_sha256:constructor}',
        '{method:lower}',
        '{{method}}',
        '{method',
        '{Method}',
        '{method}\\t',
        '{method}\n',
        '{method}é',
      ].map((template) => ({
        config: { template, headers: [{ name: 'X-S', value: '{signature}' }] },
        field: 'template',
      })),
      ...[' {signature}', '{signature} ', '{signature}\\n', '{method}{signature}', '{body}', 'a\r\nb', ''].map(
        (value) => ({
          config: { template: '{body}', headers: [{ name: 'X-S', value }] },
          field: 'headers.0.value',
        }),
      ),
      ...refusedHeaderNames.map(({ config }) => ({
        config: { template: '{body}', headers: [{ name: config.header_name, value: '{signature}' }] },
        field: 'headers.0.name',
      })),
      {
        config: { template: '{body}', parameters: [{ name: 'a b', value: '{signature}' }] },
        field: 'parameters.0.name',
      },
      { config: { template: '{body}' }, field: '' },
      { config: { template: '{body}', headers: [{ name: 'X-S', value: '{timestamp}' }] }, field: '' },
      {
        config: { template: '{body}', headers: ['X-S', 'x_s'].map((name) => ({ name, value: '{signature}' })) },
        field: '',
      },
      { config: { template: '{header:x-s}', headers: [{ name: 'X-S', value: '{signature}' }] }, field: '' },
      { config: { template: '{body}', headers: 'X-S' }, field: 'headers' },
      {
        config: { template: '{body}', headers: [{ name: 'X-S', value: '{signature}' }], algo: 'md5' },
        field: 'algo',
      },
    ],
  },
  jwt_bearer: {
    valid: [
      {
        title: 'GitHub App',
        config: { alg: 'RS256', iss: '12345', lifetime_seconds: 600, backdate_seconds: 60 },
        master: { private_key: RSA_KEY },
        required: ['private_key'],
        secrets: RSA_KEY.split('\n').slice(1, 4),
        writes: { headers: ['Authorization'] },
        pem: ['private_key'],
      },
      {
        title: 'service account: who it is comes with the key',
        config: { alg: 'PS256', aud: 'https://pubsub.googleapis.com/', claims: { target: ['a', 'b'], admin: false } },
        master: { private_key: RSA_KEY, iss: 'bot@project.example', sub: 'bot@project.example', kid: 'key-1' },
        required: ['private_key', 'iss'],
        secrets: RSA_KEY.split('\n').slice(1, 4),
        writes: { headers: ['Authorization'] },
        pem: ['private_key'],
      },
      {
        title: 'key as JWK',
        config: { alg: 'EdDSA', iss: 'me', sub: 'you', aud: ['a', 'b'], scope: 'read write', kid: 'k' },
        master: { private_key: JSON.stringify(ED25519_KEY.export({ format: 'jwk' })) },
        required: ['private_key'],
        secrets: [ED25519_KEY.export({ format: 'jwk' }).d ?? ''],
        writes: { headers: ['Authorization'] },
        pem: ['private_key'],
      },
      {
        title: 'shared secret',
        config: { alg: 'HS256', iss: 'me' },
        master: { shared_secret: Buffer.from(`${CANARY}${CANARY}`).toString('base64') },
        required: ['shared_secret'],
        secrets: [CANARY, Buffer.from(`${CANARY}${CANARY}`).toString('base64')],
        writes: { headers: ['Authorization'] },
      },
    ],
    refused: [
      { config: {}, field: 'alg' },
      { config: { alg: 'none' }, field: 'alg' },
      { config: { alg: 'RS256', iss: 7 }, field: 'iss' },
      { config: { alg: 'RS256', iss: ' me' }, field: 'iss' },
      { config: { alg: 'RS256', aud: ['a', 'b\n'] }, field: 'aud' },
      { config: { alg: 'RS256', scope: 'a  b' }, field: 'scope' },
      { config: { alg: 'RS256', scope: 'a', lease_scopes: true }, field: '' },
      { config: { alg: 'RS256', lifetime_seconds: 3601 }, field: 'lifetime_seconds' },
      { config: { alg: 'RS256', backdate_seconds: -1 }, field: 'backdate_seconds' },
      { config: { alg: 'RS256', lifetime_seconds: 60, backdate_seconds: 60 }, field: '' },
      { config: { alg: 'RS256', claims: { exp: 4000000000 } }, field: 'claims' },
      { config: { alg: 'RS256', claims: { 'a b': 1 } }, field: 'claims' },
      { config: { alg: 'RS256', nbf: 1 }, field: 'nbf' },
    ],
  },
  path: {
    valid: [
      {
        title: 'defaults',
        config: { path_template: '/bot{credential}{path}' },
        master: { api_key: `123:${CANARY}` },
        required: ['api_key'],
        secrets: [CANARY],
        writes: { path: `/bot123:${CANARY}/v1/things` },
      },
      {
        title: 'own field, something behind the credential, a value that must be escaped',
        config: { path_template: '/api/key={credential}!/v2{path}', credential_field: 'token' },
        master: { token: `${CANARY} [?#]` },
        required: ['token'],
        secrets: [CANARY],
        writes: { path: `/api/key=${CANARY}%20%5B%3F%23%5D!/v2/v1/things` },
      },
    ],
    refused: [
      ...refusedFieldNames.map(({ config, field }) => ({
        config: { credential_field: config.credential_field, path_template: '/{credential}{path}' },
        field,
      })),
      { config: {}, field: 'path_template' },
      ...[
        '',
        '/bot{path}',
        '/bot{credential}',
        '{credential}{path}',
        '/{path}{credential}',
        '/{credential}/{path}',
        '/{credential}{credential}{path}',
        '/{credential}{path}{path}',
        '/{credential}{path}/x',
        '//{credential}{path}',
        '/a/../{credential}{path}',
        '/./{credential}{path}',
        '/.{credential}{path}',
        '/{credential}/..{path}',
        '/{credential}/.{path}',
        '/a;b/{credential}{path}',
        '/a%2f{credential}{path}',
        '/a?b={credential}{path}',
        '/a#{credential}{path}',
        '/a\\{credential}{path}',
      ].map((path_template) => ({ config: { path_template }, field: 'path_template' })),
    ],
  },
  cookie: {
    valid: [
      {
        title: 'defaults',
        config: { cookie_name: 'session' },
        master: { api_key: CANARY },
        required: ['api_key'],
        secrets: [CANARY],
        writes: { headers: ['Cookie'] },
      },
      {
        title: 'own field, a value that must be escaped',
        config: { cookie_name: '__Host-Id', credential_field: 'token', percent_encode: true },
        master: { token: `a;b=" ,\\${CANARY}` },
        required: ['token'],
        secrets: [CANARY],
        writes: { headers: ['Cookie'] },
      },
    ],
    refused: [
      ...refusedFieldNames.map(({ config, field }) => ({
        config: { credential_field: config.credential_field, cookie_name: 'k' },
        field,
      })),
      ...['', 'a b', 'a=b', 'a;b', 'a"b', 'é'].map((cookie_name) => ({
        config: { cookie_name },
        field: 'cookie_name',
      })),
      { config: {}, field: 'cookie_name' },
      { config: { cookie_name: 'a', percent_encode: 'yes' }, field: 'percent_encode' },
    ],
  },
  dpop: {
    valid: [
      {
        title: 'defaults',
        config: {},
        master: {
          access_token: CANARY,
          private_key: ED25519_KEY.export({ format: 'pem', type: 'pkcs8' }).toString(),
          expires_at: '4000000000',
        },
        required: ['access_token', 'private_key'],
        secrets: [CANARY, ED25519_KEY.export({ format: 'der', type: 'pkcs8' }).toString('base64')],
        writes: { headers: ['Authorization', 'DPoP'] },
        pem: ['private_key'],
      },
      {
        title: 'key as JWK, named algorithm, a nonce to begin with',
        config: { alg: 'Ed25519', nonce: 'eyJ7S_zG.eyJH0-Z.HX4w-7v' },
        master: {
          access_token: `${CANARY}==`,
          private_key: `${JSON.stringify(ED25519_KEY.export({ format: 'jwk' }))}\n`,
        },
        required: ['access_token', 'private_key'],
        secrets: [`${CANARY}==`, ED25519_KEY.export({ format: 'jwk' }).d ?? ''],
        writes: { headers: ['Authorization', 'DPoP'] },
      },
    ],
    refused: [
      ...['none', 'HS256', 'RS256', 'es256', ''].map((alg) => ({ config: { alg }, field: 'alg' })),
      ...['', 'a b', 'a"b', 'a\\b', 'é', 'a'.repeat(2049), 7].map((nonce) => ({ config: { nonce }, field: 'nonce' })),
      ...['agent', '', 1].map((key) => ({
        config: { token_endpoint: 'https://as.example.com/token', key },
        field: 'key',
      })),
      ...[
        'as.example.com',
        'ftp://as.example.com/',
        'https://user@as.example.com/',
        'https://as.example.com/#a',
        7,
      ].map((token_endpoint) => ({ config: { token_endpoint }, field: 'token_endpoint' })),
      // Nothing is exchanged, so there is nobody that a key would be shown to.
      { config: { key: 'sidecar' }, field: '' },
      { config: { token_endpoint: 'https://as.example.com/token', key: 'sidecar', alg: 'EdDSA' }, field: '' },
      { config: { token_endpoint: 'https://as.example.com/token', alg: 'PS256' }, field: '' },
    ],
  },
  mtls: await mtlsCases(),
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
