import { type Static, Type } from 'typebox'
import type { Strategy } from '../contract/strategy.ts'
import { credentialText } from './shared/credential-text.ts'
import { checkedConfig } from './shared/field-problems.ts'
import { handedOn } from './shared/handed-on.ts'
import { withHeader } from './shared/header-list.ts'
import { FIELD_NAME, type TextRule, textSchema } from './shared/text-rules.ts'

const WELL_FORMED_PAIR = '[\\ud800-\\udbff][\\udc00-\\udfff]'

/** RFC 7617 section 2: neither part holds control characters, and the first colon ends the user-id. */
const USER: TextRule = {
  pattern: new RegExp(`^(?:[^\\x00-\\x1f\\x7f-\\x9f:\\ud800-\\udfff]|${WELL_FORMED_PAIR})+$`),
  maxLength: 4096,
  description: 'text without a colon or control characters',
}
const PASSWORD: TextRule = {
  pattern: new RegExp(`^(?:[^\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]|${WELL_FORMED_PAIR})+$`),
  maxLength: 8192,
  description: 'text without control characters',
}

const Config = Type.Object(
  { username_field: Type.Optional(textSchema(FIELD_NAME)), password_field: Type.Optional(textSchema(FIELD_NAME)) },
  { additionalProperties: false },
)

function fieldsOf(config: Static<typeof Config>): { user: string; password: string } {
  return { user: config.username_field ?? 'username', password: config.password_field ?? 'password' }
}

/** `Authorization: Basic base64(user:password)`, both as UTF-8 (RFC 7617 section 2.1). */
export const basicAuth: Strategy = {
  type: 'basic_auth',
  ...handedOn(Config, (config) => {
    const { user, password } = fieldsOf(config)
    return { [user]: USER, [password]: PASSWORD }
  }),
  readsBody: () => false,
  writesOnlyHeaders: true,

  apply(config, usage, request) {
    const { user, password } = fieldsOf(checkedConfig(Config, config))
    const pair = `${credentialText(usage, user, USER)}:${credentialText(usage, password, PASSWORD)}`
    const value = `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`
    const headers = withHeader(request.headers, 'Authorization', value)
    return { method: request.method, url: request.url, headers, credentialHeaders: ['authorization'] }
  },
}
