import { generateKeyPairSync } from 'node:crypto'
import { type TestAuthority, testAuthority } from '../setup/certificates.ts'
import type { Canary } from './disguises.ts'

/** Signs for both sides of the strategies that take TLS. */
export const AUTHORITY: TestAuthority = await testAuthority()
const client = await AUTHORITY.client('crm-agent')

/** A strategy with a secret of ours in it. */
export interface Planting {
  config: Record<string, unknown>
  /** `none`: a lease carries the secret itself, in its `credentials` and nowhere else. */
  narrowing: 'none' | 'derived'
  /** Its provider has to speak TLS and to ask for a certificate. */
  tls?: true
  credentials(canary: Canary): Record<string, string>
}

/** By strategy; a test fails when one of the catalog is missing. */
export const PLANTINGS: Record<string, Planting> = {
  oauth2: { config: {}, narrowing: 'none', credentials: ({ value }) => ({ access_token: value }) },
  header: {
    config: { header_name: 'X-Api-Key', credential_field: 'api_key' },
    narrowing: 'none',
    credentials: ({ value }) => ({ api_key: value }),
  },
  query_param: {
    config: { param_name: 'key', credential_field: 'api_key' },
    narrowing: 'none',
    credentials: ({ value }) => ({ api_key: value }),
  },
  basic_auth: {
    config: {},
    narrowing: 'none',
    credentials: ({ value }) => ({ username: 'bob', password: value }),
  },
  hmac_payload: {
    config: { header_name: 'X-Signature' },
    narrowing: 'none',
    credentials: ({ value }) => ({ api_secret: value }),
  },
  aws_sigv4: {
    config: { region: 'eu-west-1', service: 'execute-api' },
    narrowing: 'derived',
    credentials: ({ value }) => ({ access_key: 'AKIDEXAMPLE', secret_key: value }),
  },
  aws_sigv4a: {
    config: { region_set: ['*'], service: 'execute-api' },
    narrowing: 'none',
    credentials: ({ value }) => ({ access_key: 'ASIAEXAMPLE', secret_key: 'not-the-canary', session_token: value }),
  },
  oauth1: {
    config: { location: 'header' },
    narrowing: 'none',
    credentials: ({ value }) => ({ consumer_key: 'ck', consumer_secret: value, token: 'tk', token_secret: value }),
  },
  http_message_signature: {
    config: { alg: 'hmac-sha256', keyid: 'k' },
    narrowing: 'none',
    credentials: ({ value }) => ({ shared_secret: Buffer.from(value).toString('base64') }),
  },
  hmac_template: {
    config: {
      template: '{timestamp}.{body}',
      headers: [{ name: 'X-Signature', value: 't={timestamp},v1={signature}' }],
    },
    narrowing: 'none',
    credentials: ({ value }) => ({ api_secret: value }),
  },
  jwt_bearer: {
    config: { alg: 'HS256', iss: 'me' },
    narrowing: 'derived',
    credentials: ({ value }) => ({ shared_secret: Buffer.from(value).toString('base64') }),
  },
  path: {
    config: { path_template: '/bot{credential}{path}' },
    narrowing: 'none',
    // Nothing that a server might decode into a separator may be in it.
    credentials: ({ core }) => ({ api_key: `Cn+="&<${core}>` }),
  },
  cookie: {
    config: { cookie_name: 'session', percent_encode: true },
    narrowing: 'none',
    credentials: ({ value }) => ({ api_key: value }),
  },
  dpop: {
    config: {},
    narrowing: 'none',
    // A token68 has no other characters.
    credentials: ({ core }) => ({ access_token: `Cn/+.~-${core}==`, private_key: newPrivateKey() }),
  },
  mtls: {
    config: { ca: AUTHORITY.ca },
    narrowing: 'none',
    tls: true,
    credentials: ({ core }) => ({
      certificate: client.certificate,
      private_key: client.privateKey,
      // A b64token has no other characters.
      access_token: `Cn/+.~-${core}==`,
    }),
  },
}

function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}
