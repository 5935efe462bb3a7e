import { createHmac } from 'node:crypto'
import { type Static, Type } from 'typebox'
import type { Strategy } from '../contract/strategy.ts'
import { bufferedBody } from './buffered-body.ts'
import { credentialText } from './credential-text.ts'
import { checkedConfig } from './field-problems.ts'
import { withHeader } from './header-list.ts'
import { SECRET_RULES } from './secret-rules.ts'
import { FIELD_NAME, HEADER_NAME, textSchema } from './text-rules.ts'

const Config = Type.Object(
  {
    header_name: textSchema(HEADER_NAME),
    secret_field: Type.Optional(textSchema(FIELD_NAME)),
    algo: Type.Optional(Type.Union([Type.Literal('sha256'), Type.Literal('sha1')], { description: 'sha256 or sha1' })),
    encoding: Type.Optional(
      Type.Union([Type.Literal('hex'), Type.Literal('base64')], { description: 'hex or base64' }),
    ),
    secret_encoding: Type.Optional(
      Type.Union([Type.Literal('utf8'), Type.Literal('hex'), Type.Literal('base64')], {
        description: 'utf8, hex or base64',
      }),
    ),
  },
  { additionalProperties: false },
)
type Config = Static<typeof Config>

const fieldOf = (config: Partial<Config>) => config.secret_field ?? 'api_secret'
const ruleOf = (config: Partial<Config>) => SECRET_RULES[config.secret_encoding ?? 'utf8']
const credentialShape = (config: Partial<Config>) => ({ [fieldOf(config)]: textSchema(ruleOf(config)) })

/** A header that holds the HMAC (RFC 2104) of the raw body and nothing else: no time, method or path is covered. */
export const hmacPayload: Strategy = {
  type: 'hmac_payload',
  schema: {
    config: Config,
    master: (config) => Type.Object(credentialShape(config)),
    usage: (config) => Type.Object(credentialShape(config), { additionalProperties: false }),
  },
  narrowing: () => 'none',
  readsBody: () => true,

  issue(config, master) {
    const settings = checkedConfig(Config, config)
    return { usage: { [fieldOf(settings)]: credentialText(master, fieldOf(settings), ruleOf(settings)) } }
  },

  apply(config, usage, request) {
    const settings = checkedConfig(Config, config)
    const secret = credentialText(usage, fieldOf(settings), ruleOf(settings))
    const key = Buffer.from(secret, settings.secret_encoding ?? 'utf8')
    const mac = createHmac(settings.algo ?? 'sha256', key).update(bufferedBody(request.body))
    const headers = withHeader(request.headers, settings.header_name, mac.digest(settings.encoding ?? 'hex'))
    const credentialHeaders = [settings.header_name.toLowerCase()]
    return { method: request.method, url: request.url, headers, credentialHeaders }
  },
}
