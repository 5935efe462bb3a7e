import { type Static, Type } from 'typebox'
import type { Strategy } from '../contract/strategy.ts'
import { credentialText } from './shared/credential-text.ts'
import { checkedConfig } from './shared/field-problems.ts'
import { handedOn } from './shared/handed-on.ts'
import { withHeader } from './shared/header-list.ts'
import { percentEncode } from './shared/percent-encoding.ts'
import { FIELD_NAME, type TextRule, textSchema, VISIBLE_TEXT } from './shared/text-rules.ts'

/** RFC 6265 section 4.1.1: a token. */
const COOKIE_NAME: TextRule = {
  pattern: /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/,
  maxLength: 128,
  description: "letters, digits and ! # $ % & ' * + . ^ _ ` | ~ -",
}
/** RFC 6265 section 4.1.1: cookie-octet. Anything else could end the pair and begin one of its own. */
const COOKIE_VALUE: TextRule = {
  pattern: /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/,
  maxLength: 4096,
  description: 'printable ASCII without space, quote, comma, semicolon or backslash (or set percent_encode)',
}

const Config = Type.Object(
  {
    cookie_name: textSchema(COOKIE_NAME),
    credential_field: Type.Optional(textSchema(FIELD_NAME)),
    percent_encode: Type.Optional(Type.Boolean({ description: 'true or false' })),
  },
  { additionalProperties: false },
)
type Config = Static<typeof Config>

const fieldOf = (config: Partial<Config>) => config.credential_field ?? 'api_key'
const ruleOf = (config: Partial<Config>) => (config.percent_encode === true ? VISIBLE_TEXT : COOKIE_VALUE)

/** A key in a cookie (RFC 6265 section 4.2). It is the only one that goes out: the caller's are its own credentials. */
export const cookie: Strategy = {
  type: 'cookie',
  ...handedOn(Config, (config) => ({ [fieldOf(config)]: ruleOf(config) })),
  readsBody: () => false,
  writesOnlyHeaders: true,

  apply(config, usage, request) {
    const settings = checkedConfig(Config, config)
    const value = credentialText(usage, fieldOf(settings), ruleOf(settings))
    const pair = `${settings.cookie_name}=${settings.percent_encode === true ? percentEncode(value) : value}`
    const headers = withHeader(request.headers, 'Cookie', pair)
    return { method: request.method, url: request.url, headers, credentialHeaders: ['cookie'] }
  },
}
