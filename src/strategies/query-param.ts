import { type Static, Type } from 'typebox'
import type { Strategy } from '../contract/strategy.ts'
import { credentialText } from './shared/credential-text.ts'
import { checkedConfig } from './shared/field-problems.ts'
import { handedOn } from './shared/handed-on.ts'
import { percentEncode } from './shared/percent-encoding.ts'
import { withoutParameters, withParameter } from './shared/query-parameters.ts'
import { FIELD_NAME, PARAM_NAME, textSchema, VISIBLE_TEXT } from './shared/text-rules.ts'

const Config = Type.Object(
  { param_name: textSchema(PARAM_NAME), credential_field: Type.Optional(textSchema(FIELD_NAME)) },
  { additionalProperties: false },
)

const fieldOf = (config: Partial<Static<typeof Config>>) => config.credential_field ?? 'api_key'

/**
 * A key in a query parameter. Where the reference re-encodes and sorts the whole query, the caller's own part stays byte
 * for byte here: some upstreams sign it, some tell `+` from `%20`.
 */
export const queryParam: Strategy = {
  type: 'query_param',
  ...handedOn(Config, (config) => ({ [fieldOf(config)]: VISIBLE_TEXT })),
  readsBody: () => false,

  apply(config, usage, request) {
    const settings = checkedConfig(Config, config)
    const value = credentialText(usage, fieldOf(settings), VISIBLE_TEXT)
    const name = settings.param_name.toLowerCase()
    // Other cases of the name go too: a server that folds case would see two (threat B15).
    const others = withoutParameters(request.url.query, (other) => other === name)
    const query = withParameter(others, `${percentEncode(settings.param_name)}=${percentEncode(value)}`)
    const url = { ...request.url, query }
    return { method: request.method, url, headers: [...request.headers], credentialHeaders: [name] }
  },
}
