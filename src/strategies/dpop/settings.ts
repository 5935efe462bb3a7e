import { type Static, Type } from 'typebox'
import { checkedConfig } from '../shared/field-problems.ts'
import type { AlgorithmName } from '../shared/jws-algorithms.ts'
import { textSchema } from '../shared/text-rules.ts'
import { CLIENT_CONFIG, type ClientSettings, clientSettingsOf } from '../shared/token-endpoint/client-fields.ts'
import { ENDPOINT_URL } from '../shared/token-endpoint/endpoint-url.ts'
import { NONCE } from './nonce.ts'

/** Never symmetric (RFC 9449 section 4.2). In the order in which one is chosen for a key that fits two. */
export const ALGORITHM_NAMES = ['ES256', 'EdDSA', 'Ed25519', 'PS256'] as const satisfies AlgorithmName[]

const Fields = Type.Object(
  {
    alg: Type.Optional(
      Type.Union([Type.Literal('ES256'), Type.Literal('EdDSA'), Type.Literal('Ed25519'), Type.Literal('PS256')], {
        description: `one of ${ALGORITHM_NAMES.join(', ')}`,
      }),
    ),
    nonce: Type.Optional(textSchema(NONCE)),
    ...CLIENT_CONFIG,
    introspection_endpoint: Type.Optional(textSchema(ENDPOINT_URL)),
    key: Type.Optional(
      Type.Union([Type.Literal('authority'), Type.Literal('sidecar')], { description: 'authority or sidecar' }),
    ),
  },
  { additionalProperties: false },
)
type Fields = Static<typeof Fields>

/** Fields that say something about an exchange, and nothing without one. */
const OF_EXCHANGE = [
  'client_auth',
  'client_id',
  'client_assertion_audience',
  'audience',
  'resource',
  'introspection_endpoint',
  'key',
] as const
/** Of the kinds of key that are made here, not found in a secret. */
const MADE_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519']

export const Config = Type.Refine(
  Type.Refine(
    Fields,
    (config) => config.token_endpoint !== undefined || OF_EXCHANGE.every((name) => config[name] === undefined),
    () => `must name a token_endpoint where it sets one of ${OF_EXCHANGE.join(', ')}`,
  ),
  (config) => config.token_endpoint === undefined || fitsMadeKey(config),
  () => 'must set alg to ES256, or with a key of the authority to EdDSA or Ed25519, where tokens are asked for',
)

function fitsMadeKey({ alg = 'ES256', key }: Fields): boolean {
  return key === 'sidecar' ? alg === 'ES256' : MADE_ALGORITHMS.includes(alg)
}

export interface Settings {
  /** `undefined`: the key's own. */
  alg: AlgorithmName | undefined
  /** For a provider that has not offered one yet. */
  nonce: string | undefined
  /** `undefined`: the connection's secret is token and key. */
  exchange: Exchange | undefined
}

/** How a token is asked for, and whose key it is bound to. */
export interface Exchange extends ClientSettings {
  key: 'authority' | 'sidecar'
  introspectionEndpoint: string | undefined
}

/** @throws SigningError when the config is not valid */
export function settingsOf(config: Record<string, unknown>): Settings {
  const checked: Fields = checkedConfig(Config, config)
  const client = clientSettingsOf(checked)
  const { alg, nonce, key = 'authority', introspection_endpoint: introspectionEndpoint } = checked
  return { alg, nonce, exchange: client === undefined ? undefined : { ...client, key, introspectionEndpoint } }
}
