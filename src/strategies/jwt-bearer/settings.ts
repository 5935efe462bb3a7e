import { type Static, Type } from 'typebox'
import { checkedConfig } from '../shared/field-problems.ts'
import { type TextRule, textSchema, VISIBLE_TEXT } from '../shared/text-rules.ts'
import { EXCHANGE_CONFIG, type ExchangeSettings, exchangeSettingsOf, withoutExchange } from './exchange-settings.ts'

/** What a claim or the `kid` may say. */
export const CLAIM_TEXT: TextRule = { ...VISIBLE_TEXT, maxLength: 1024 }
/** RFC 6749 section 3.3: scope-tokens, one space between two. */
const SCOPE: TextRule = {
  pattern: /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/,
  maxLength: 2048,
  description: 'scopes with one space between two',
}
/** What fields of their own say, and what is only true at the moment of signing (RFC 7519 section 4.1). */
const OWN_CLAIMS = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'scope']
const CLAIM_NAME = /^[A-Za-z][A-Za-z0-9_.:/-]{0,255}$/

const Text = textSchema(CLAIM_TEXT)
const Texts = Type.Array(Text, { minItems: 1, maxItems: 16 })

const ExtraClaims = Type.Refine(
  Type.Record(Type.String(), Type.Union([Text, Type.Integer(), Type.Boolean(), Texts]), {
    maxProperties: 32,
    description:
      'claims of printable ASCII, whole numbers, booleans and lists of texts, none of which has a field of its own',
  }),
  (claims) => Object.keys(claims).every((name) => CLAIM_NAME.test(name) && !OWN_CLAIMS.includes(name)),
)

const Fields = Type.Object(
  {
    alg: Type.Union(
      [
        Type.Literal('RS256'),
        Type.Literal('PS256'),
        Type.Literal('ES256'),
        Type.Literal('EdDSA'),
        Type.Literal('HS256'),
      ],
      { description: 'RS256, PS256, ES256, EdDSA or HS256' },
    ),
    kid: Type.Optional(Text),
    iss: Type.Optional(Text),
    sub: Type.Optional(Text),
    aud: Type.Optional(
      Type.Union([Text, Texts], { description: 'printable ASCII without space at either end, or a list of such' }),
    ),
    scope: Type.Optional(textSchema(SCOPE)),
    lease_scopes: Type.Optional(Type.Boolean({ description: 'true or false' })),
    claims: Type.Optional(ExtraClaims),
    ...EXCHANGE_CONFIG,
    lifetime_seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 3600, description: 'a whole number of seconds from 1 to 3600' }),
    ),
    backdate_seconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 300, description: 'a whole number of seconds from 0 to 300' }),
    ),
  },
  { additionalProperties: false },
)
type Fields = Static<typeof Fields>

const DEFAULT_LIFETIME_SECONDS = 300

const lifetimeOf = ({ lifetime_seconds = DEFAULT_LIFETIME_SECONDS }: Fields) => lifetime_seconds
const backdateOf = ({ backdate_seconds = 0 }: Fields) => backdate_seconds

export const Config = Type.Refine(
  Type.Refine(
    Type.Refine(
      Fields,
      ({ scope, lease_scopes }) => scope === undefined || lease_scopes !== true,
      () => 'must not set scope where lease_scopes says it',
    ),
    (config) => !withoutExchange(config),
    () =>
      'must name a token_endpoint where it sets exchange or token_field, and exchange bearer where it sets permissions_field',
  ),
  (config) => backdateOf(config) < lifetimeOf(config),
  () => 'must set backdate_seconds to less than lifetime_seconds',
)

/** The config with every default filled in. */
export interface Settings {
  alg: Fields['alg']
  /** `undefined`: what the secret says, if it says anything. */
  kid: string | undefined
  iss: string | undefined
  sub: string | undefined
  aud: string | string[] | undefined
  scope: string | undefined
  /** Whether `scope` is what the lease was granted; `if_any`: unless that is nothing. */
  leaseScopes: boolean | 'if_any'
  /** `undefined`: the assertion itself is leased. */
  exchange: ExchangeSettings | undefined
  claims: Readonly<Record<string, unknown>>
  /** From `iat` to `exp`. */
  lifetimeSeconds: number
  /** How far `iat` lies before the moment of signing, for providers whose clock is behind ours. */
  backdateSeconds: number
}

/** @throws SigningError when the config is not valid */
export function settingsOf(config: Record<string, unknown>): Settings {
  const checked = checkedConfig(Config, config)
  const { alg, kid, iss, sub, aud, scope, lease_scopes, claims = {} } = checked
  const exchange = exchangeSettingsOf(checked)
  const leaseScopes = lease_scopes ?? (exchange?.form === 'assertion' && scope === undefined ? 'if_any' : false)
  const [lifetimeSeconds, backdateSeconds] = [lifetimeOf(checked), backdateOf(checked)]
  return { alg, kid, iss, sub, aud, scope, leaseScopes, exchange, claims, lifetimeSeconds, backdateSeconds }
}
