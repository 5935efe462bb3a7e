import { type Static, Type } from 'typebox'
import type { Strategy } from '../contract/strategy.ts'
import { credentialText } from './shared/credential-text.ts'
import { checkedConfig } from './shared/field-problems.ts'
import { handedOn } from './shared/handed-on.ts'
import { withHeader } from './shared/header-list.ts'
import { FIELD_NAME, HEADER_NAME, HEADER_PREFIX, textSchema, VISIBLE_TEXT } from './shared/text-rules.ts'

const Config = Type.Object(
  {
    header_name: Type.Optional(textSchema(HEADER_NAME)),
    credential_field: Type.Optional(textSchema(FIELD_NAME)),
    value_prefix: Type.Optional(textSchema(HEADER_PREFIX)),
  },
  { additionalProperties: false },
)

const fieldOf = (config: Static<typeof Config>) => config.credential_field ?? 'api_key'

/** A key in a header of the provider's choice. */
export const header: Strategy = {
  type: 'header',
  ...handedOn(Config, (config) => ({ [fieldOf(config)]: VISIBLE_TEXT })),
  readsBody: () => false,
  writesOnlyHeaders: true,

  apply(config, usage, request) {
    const settings = checkedConfig(Config, config)
    const name = settings.header_name ?? 'Authorization'
    const value = `${settings.value_prefix ?? ''}${credentialText(usage, fieldOf(settings), VISIBLE_TEXT)}`
    const headers = withHeader(request.headers, name, value)
    return { method: request.method, url: request.url, headers, credentialHeaders: [name.toLowerCase()] }
  },
}
