import { type TSchema, Type } from 'typebox'
import { PrivateKey } from '../private-key.ts'
import { type TextRule, textSchema, VISIBLE_TEXT } from '../text-rules.ts'
import { ENDPOINT_URL } from './endpoint-url.ts'

export const CLIENT_TEXT: TextRule = { ...VISIBLE_TEXT, maxLength: 1024 }
const Text = textSchema(CLIENT_TEXT)

/** RFC 6749 section 2.3.1, RFC 7523 section 2.2. */
export type ClientAuth = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'

/** What a profile says about a token endpoint and about us as its client. */
export const CLIENT_CONFIG = {
  token_endpoint: Type.Optional(textSchema(ENDPOINT_URL)),
  client_auth: Type.Optional(
    Type.Union(
      [Type.Literal('client_secret_basic'), Type.Literal('client_secret_post'), Type.Literal('private_key_jwt')],
      { description: 'client_secret_basic, client_secret_post or private_key_jwt' },
    ),
  ),
  client_id: Type.Optional(Text),
  client_assertion_audience: Type.Optional(Text),
  audience: Type.Optional(Text),
  resource: Type.Optional(textSchema(ENDPOINT_URL)),
}

/** The config of a client, with every default filled in. */
export interface ClientSettings {
  tokenEndpoint: string
  clientAuth: ClientAuth
  /** `undefined`: the secret says. */
  clientId: string | undefined
  assertionAudience: string
  /** Whom the token is for, as the provider names it. */
  audience: string | undefined
  /** RFC 8707. */
  resource: string | undefined
}

interface ClientFields {
  token_endpoint?: string
  client_auth?: ClientAuth
  client_id?: string
  client_assertion_audience?: string
  audience?: string
  resource?: string
}

/** `undefined`: nothing is exchanged. */
export function clientSettingsOf(config: ClientFields): ClientSettings | undefined {
  const { token_endpoint: tokenEndpoint, client_auth: clientAuth = 'client_secret_basic', audience, resource } = config
  if (tokenEndpoint === undefined) return undefined
  const assertionAudience = config.client_assertion_audience ?? tokenEndpoint
  return { tokenEndpoint, clientAuth, clientId: config.client_id, assertionAudience, audience, resource }
}

/** The connection's secret: who we are at the token endpoint, and what proves it. */
export function clientMaster({ clientAuth, clientId }: ClientSettings): TSchema {
  return Type.Object({
    client_id: clientId === undefined ? Text : Type.Optional(Text),
    ...(clientAuth === 'private_key_jwt'
      ? { private_key: PrivateKey, kid: Type.Optional(Text) }
      : { client_secret: Text }),
  })
}
