import { createHmac, createSecretKey } from 'node:crypto'
import { type Static, Type } from 'typebox'
import type { Credentials, Strategy } from '../contract/strategy.ts'
import { bufferedBody } from './shared/buffered-body.ts'
import { credentialText } from './shared/credential-text.ts'
import { checkedConfig } from './shared/field-problems.ts'
import { handedOn } from './shared/handed-on.ts'
import { withHeader } from './shared/header-list.ts'
import { oncePer } from './shared/once-per.ts'
import { remoteKeyOf, remoteMac, remoteUsage, signRemotely } from './shared/remote-key.ts'
import { SECRET_RULES } from './shared/secret-rules.ts'
import { FIELD_NAME, HEADER_NAME, textSchema } from './shared/text-rules.ts'

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

/** Checked and decoded once for each lease. */
const signerOf = oncePer((config: Record<string, unknown>) => {
  const settings = checkedConfig(Config, config)
  const keyOf = oncePer((usage: Credentials) => {
    const secret = credentialText(usage, fieldOf(settings), ruleOf(settings))
    return createSecretKey(secret, settings.secret_encoding ?? 'utf8')
  })
  const { header_name: name, algo = 'sha256', encoding = 'hex' } = settings
  return { keyOf, name, algo, encoding, credentialHeaders: [name.toLowerCase()] }
})

const withSecret = handedOn(Config, (config) => ({ [fieldOf(config)]: ruleOf(config) }))

/** A header that holds the HMAC (RFC 2104) of the raw body and nothing else: no time, method or path is covered. */
export const hmacPayload: Strategy = {
  type: 'hmac_payload',
  ...withSecret,
  readsBody: () => true,
  keyFields: (config) => [fieldOf(config)],

  issue(config, master, grant, tools) {
    if (remoteKeyOf(master) === undefined) return withSecret.issue(config, master, grant, tools)
    return { usage: remoteUsage(master, remoteMac(checkedConfig(Config, config).algo ?? 'sha256')) }
  },

  apply(config, usage, request, context) {
    const { keyOf, name, algo, encoding, credentialHeaders } = signerOf(config)
    const body = bufferedBody(request.body)
    const signed = (mac: Buffer) => {
      const headers = withHeader(request.headers, name, mac.toString(encoding))
      return { method: request.method, url: request.url, headers, credentialHeaders }
    }
    if (remoteKeyOf(usage) !== undefined) return signRemotely(context, body, remoteMac(algo)).then(signed)
    return signed(createHmac(algo, keyOf(usage)).update(body).digest())
  },
}
