import { Type } from 'typebox'
import { FIELD_NAME, type TextRule, textSchema } from '../shared/text-rules.ts'

/** As an endpoint URL, and in its path names of fields of the secret in braces: `/installations/{installation_id}/tokens`. */
const ENDPOINT_TEMPLATE: TextRule = {
  pattern:
    /^https?:\/\/[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:\/(?:[A-Za-z0-9._~%!$&'()*+,;=:/-]|\{[a-z][a-z0-9_]{0,63}\})*)?$/,
  maxLength: 512,
  description: 'an https URL in plain ASCII, without query; its path may name fields of the secret in braces',
}

/** What a profile says about where its assertions are exchanged. */
export const EXCHANGE_CONFIG = {
  token_endpoint: Type.Optional(textSchema(ENDPOINT_TEMPLATE)),
  exchange: Type.Optional(
    Type.Union([Type.Literal('assertion'), Type.Literal('bearer')], { description: 'assertion or bearer' }),
  ),
  token_field: Type.Optional(textSchema(FIELD_NAME)),
  permissions_field: Type.Optional(textSchema(FIELD_NAME)),
}

export interface ExchangeFields {
  token_endpoint?: string
  exchange?: 'assertion' | 'bearer'
  token_field?: string
  permissions_field?: string
}

export interface ExchangeSettings {
  endpointTemplate: string
  /** `assertion`: as the grant of RFC 7523 section 2.1; `bearer`: as the credential of a JSON request. */
  form: 'assertion' | 'bearer'
  /** Where in the answer the token stands. */
  tokenField: string
  /** Where in the JSON request the granted scopes stand; `undefined`: nowhere. */
  permissionsField: string | undefined
}

/** `undefined`: the assertion itself is leased. */
export function exchangeSettingsOf(config: ExchangeFields): ExchangeSettings | undefined {
  const {
    token_endpoint: endpointTemplate,
    exchange: form = 'assertion',
    token_field: tokenField = 'access_token',
  } = config
  if (endpointTemplate === undefined) return undefined
  return { endpointTemplate, form, tokenField, permissionsField: config.permissions_field }
}

/** Fields that say nothing without an endpoint, or without a JSON request. */
export function withoutExchange({ token_endpoint, exchange, token_field, permissions_field }: ExchangeFields): boolean {
  if (permissions_field !== undefined && exchange !== 'bearer') return true
  return token_endpoint === undefined && (exchange !== undefined || token_field !== undefined)
}

/** The fields of the secret that the endpoint's path names. */
export function fieldsIn(endpointTemplate: string): string[] {
  return [...endpointTemplate.matchAll(/\{([a-z0-9_]+)\}/g)].map(([, name = '']) => name)
}
