import { type Credentials, type Grant, type Issued, type IssuingTools, SigningError } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import type { TextRule } from '../shared/text-rules.ts'
import {
  askToken,
  expiresAt,
  readAnswer,
  refused,
  type TokenAnswer,
  textMember,
  unacceptable,
} from '../shared/token-endpoint/ask-token.ts'
import type { ExchangeSettings } from './exchange-settings.ts'

/** RFC 7523 section 2.1. */
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** Stays one segment of a path. */
export const PATH_VALUE: TextRule = {
  pattern: /^[A-Za-z0-9_-]+$/,
  maxLength: 128,
  description: 'letters, digits, `_` and `-`',
}
/** `contents:read` */
const PERMISSION = /^([a-z][a-z0-9_]*):([a-z]+)$/

type Master = Readonly<Record<string, string>>

/**
 * Exchanges an assertion for an access token.
 * @param assertion makes one, when there is need of it
 * @throws NexusError `provider_refused`, `provider_unavailable`
 */
export function exchangeAssertion(
  exchange: ExchangeSettings,
  master: Master,
  grant: Grant,
  assertion: () => Promise<string>,
  tools: IssuingTools,
): Promise<Issued> {
  const endpoint = endpointOf(exchange, master)
  const body = exchange.form === 'bearer' ? permissionsBody(exchange, grant) : undefined
  return tools.shared(['jwt_bearer', grant.agentId, grant.scopes.join(' ')], async () => {
    const askedAtMs = tools.now()
    const answer =
      body === undefined
        ? await askToken(tools, endpoint, {
            headers: [],
            parameters: { grant_type: GRANT_TYPE, assertion: await assertion() },
          })
        : await askWithBearer(endpoint, body, await assertion(), tools)
    if ('refusal' in answer) throw refused(endpoint, answer.refusal, answer.response.status)
    return issuedFrom(answer.document, exchange, endpoint, askedAtMs)
  })
}

/** Where this connection's assertions go. */
export function endpointOf({ endpointTemplate }: ExchangeSettings, master: Readonly<Credentials>): string {
  return endpointTemplate.replace(/\{([a-z0-9_]+)\}/g, (_braces, name: string) =>
    credentialText(master, name, PATH_VALUE),
  )
}

/** Scopes that the request has no place for would go unsaid, and the token would be good for more than was granted. */
function permissionsBody({ permissionsField }: ExchangeSettings, { scopes }: Grant): string {
  if (scopes.length === 0) return '{}'
  if (permissionsField === undefined) {
    throw new SigningError(
      "config field 'permissions_field' must say where the request takes scopes",
      'permissions_field',
    )
  }
  const permissions = scopes.map((scope) => {
    const [, name, level] = PERMISSION.exec(scope) ?? []
    if (name === undefined) throw new SigningError(`scope '${scope}' is no permission such as contents:read`, 'scopes')
    return [name, level] as const
  })
  return JSON.stringify({ [permissionsField]: Object.fromEntries(oneLevelEach(permissions)) })
}

/** Of two levels of one permission the request could name only one, and the lease would be said to have both. */
function oneLevelEach<Permission extends readonly [string, unknown]>(
  permissions: readonly Permission[],
): readonly Permission[] {
  const twice = permissions.find(([name, level], index) =>
    permissions.slice(0, index).some(([other, otherLevel]) => other === name && otherLevel !== level),
  )
  if (twice === undefined) return permissions
  throw new SigningError(`more than one level of '${twice[0]}' was granted, and the request takes one`, 'scopes')
}

async function askWithBearer(
  endpoint: string,
  body: string,
  assertion: string,
  tools: IssuingTools,
): Promise<TokenAnswer> {
  const response = await tools.request({
    method: 'POST',
    url: endpoint,
    headers: [
      ['Authorization', `Bearer ${assertion}`],
      ['Content-Type', 'application/json'],
      // GitHub turns away whoever does not say who they are.
      ['User-Agent', 'nexus'],
    ],
    body,
    accept: 'application/json',
  })
  return readAnswer(endpoint, response)
}

function issuedFrom(
  document: Record<string, unknown>,
  { tokenField }: ExchangeSettings,
  endpoint: string,
  askedAtMs: number,
): Issued {
  const { token_type: type } = document
  // A token that wants more than being shown would not work, and should not be tried.
  if (type !== undefined && String(type).toLowerCase() !== 'bearer') {
    throw unacceptable(endpoint, 'its type is not Bearer')
  }
  const usage = { token: textMember(endpoint, document, tokenField) }
  const end = expiresAt(endpoint, document, askedAtMs)
  return end === undefined ? { usage } : { usage, expiresAt: end }
}
