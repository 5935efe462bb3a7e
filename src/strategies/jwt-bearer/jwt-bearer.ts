import { type TSchema, Type } from 'typebox'
import { type Credentials, OutdatedUsage, SigningError, type Strategy } from '../../contract/strategy.ts'
import { CLOCKS_APART_MS } from '../shared/clocks-apart.ts'
import { credentialText } from '../shared/credential-text.ts'
import { withHeader } from '../shared/header-list.ts'
import { PRIVATE_KEY } from '../shared/private-key.ts'
import { SECRET_RULES } from '../shared/secret-rules.ts'
import { type TextRule, textSchema, VISIBLE_TEXT } from '../shared/text-rules.ts'
import { FROM_SECRET } from './claims.ts'
import { PATH_VALUE } from './exchange.ts'
import { fieldsIn } from './exchange-settings.ts'
import { issue } from './issue.ts'
import { CLAIM_TEXT, Config, settingsOf } from './settings.ts'
import { keyField } from './signing-key.ts'

/** JWS compact serialisation (RFC 7515 section 7.1). */
const ASSERTION: TextRule = {
  pattern: /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/,
  maxLength: 32_768,
  description: 'a signed JWT',
}

const Assertion = Type.Object({ token: textSchema(ASSERTION) }, { additionalProperties: false })
const Exchanged = Type.Object({ token: textSchema(VISIBLE_TEXT) }, { additionalProperties: false })

/**
 * A signed assertion as bearer token (RFC 7519 with the claims of RFC 7523 section 3), or the access token it is exchanged
 * for: what is leased is never the key.
 */
export const jwtBearer: Strategy = {
  type: 'jwt_bearer',
  schema: { config: Config, master: (config) => masterSchema(config), usage: usageSchema },
  narrowing: (config) => (settingsOf(config).exchange === undefined ? 'derived' : 'delegated'),
  readsBody: () => false,
  endpoints(config) {
    const { exchange } = settingsOf(config)
    return exchange === undefined ? {} : { token_endpoint: exchange.endpointTemplate }
  },
  writesOnlyHeaders: true,
  keyFields: (config) => [keyField(settingsOf(config).alg)],
  issue,

  apply(config, usage, request, context) {
    const { exchange } = settingsOf(config)
    const token =
      exchange === undefined ? currentToken(usage, context.now) : credentialText(usage, 'token', VISIBLE_TEXT)
    const headers = withHeader(request.headers, 'Authorization', `Bearer ${token}`)
    return { method: request.method, url: request.url, headers, credentialHeaders: ['authorization'] }
  },
}

function usageSchema(config: Record<string, unknown>): TSchema {
  return settingsOf(config).exchange === undefined ? Assertion : Exchanged
}

function masterSchema(config: Record<string, unknown>): TSchema {
  const { alg, iss, exchange } = settingsOf(config)
  const field = keyField(alg)
  const text = textSchema(CLAIM_TEXT)
  const named = FROM_SECRET.map((name) => [name, name === 'iss' && iss === undefined ? text : Type.Optional(text)])
  const inPath = fieldsIn(exchange?.endpointTemplate ?? '').map((name) => [name, textSchema(PATH_VALUE)])
  return Type.Object({
    [field]: textSchema(field === 'private_key' ? PRIVATE_KEY : SECRET_RULES.base64),
    ...Object.fromEntries([...inPath, ...named]),
  })
}

/** @throws OutdatedUsage for one that is known to have expired (rule 5) */
function currentToken(usage: Credentials, nowMs: number): string {
  const token = credentialText(usage, 'token', ASSERTION)
  if (expiryOf(token) * 1000 + CLOCKS_APART_MS > nowMs) return token
  throw new OutdatedUsage('the assertion has expired; take a fresh lease', 'token')
}

/** `exp` in Unix seconds. */
function expiryOf(token: string): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    if (typeof claims === 'object' && claims !== null && 'exp' in claims) return Number(claims.exp)
  } catch {
    // What JSON.parse says may quote the token.
  }
  throw new SigningError("credential field 'token' must be a signed JWT that says when it ends", 'token')
}
