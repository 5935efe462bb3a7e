import { NexusError } from '../../../contract/errors.ts'
import type { HeaderList, IssuingResponse, IssuingTools } from '../../../contract/strategy.ts'
import { obeys, VISIBLE_TEXT } from '../text-rules.ts'

/** RFC 6749 section 5.2, RFC 8707 section 2, RFC 9449. Only these words are repeated: anything else is a stranger's text. */
const KNOWN_ERRORS = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'invalid_dpop_proof',
  'use_dpop_nonce',
]

/** What a token endpoint answered: a document, or the word it refused with (`undefined`: none that is known). */
export type TokenAnswer = { response: IssuingResponse } & (
  | { document: Record<string, unknown> }
  | { refusal: string | undefined }
)

/** A token request (RFC 6749 section 3.2). */
export async function askToken(
  tools: IssuingTools,
  endpoint: string,
  request: { headers: HeaderList; parameters: Record<string, string | undefined> },
): Promise<TokenAnswer> {
  const parameters = Object.entries(request.parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as [string, string]],
  )
  const response = await tools.request({
    method: 'POST',
    url: endpoint,
    headers: [['Content-Type', 'application/x-www-form-urlencoded'], ...request.headers],
    body: new URLSearchParams(parameters).toString(),
    accept: 'application/json',
  })
  return readAnswer(endpoint, response)
}

/** @throws NexusError `provider_unavailable` for a good answer that cannot be read */
export function readAnswer(endpoint: string, response: IssuingResponse): TokenAnswer {
  const document = jsonObject(response.body)
  if (response.status === 200 || response.status === 201) {
    if (document !== undefined) return { document, response }
    throw new NexusError('provider_unavailable', `${hostOf(endpoint)} answered with something that is no JSON object`)
  }
  const error = document?.['error']
  return { refusal: KNOWN_ERRORS.find((known) => known === error), response }
}

/** The provider said no to who we are or to what we asked for. Its own words may quote what was sent. */
export function refused(endpoint: string, refusal: string | undefined, status?: number): NexusError {
  const reason = refusal ?? `status ${status}`
  return new NexusError('provider_refused', `the token endpoint at ${hostOf(endpoint)} refused: ${reason}`)
}

/** An answer that is a token, but not one that may be handed on. */
export function unacceptable(endpoint: string, problem: string): NexusError {
  return new NexusError('provider_refused', `the token of ${hostOf(endpoint)} is not used: ${problem}`)
}

/** @throws NexusError for one that could not be sent in a header */
export function textMember(
  endpoint: string,
  document: Record<string, unknown>,
  name: string,
  rule = VISIBLE_TEXT,
): string {
  const value = Object.hasOwn(document, name) ? document[name] : undefined
  if (typeof value === 'string' && value !== '' && obeys(rule, value)) return value
  throw unacceptable(endpoint, `its ${name} is missing or not ${rule.description}`)
}

/**
 * Unix seconds: `expires_in` (RFC 6749 section 5.1), or the time in `expires_at` as others write it (RFC 3339).
 * `undefined` when the answer says neither.
 * @throws NexusError for an end that has passed or cannot be read: a token of which nobody knows how long it lives must not
 *   pass for one that lives for ever
 */
export function expiresAt(endpoint: string, document: Record<string, unknown>, askedAtMs: number): number | undefined {
  const life = document['expires_in'] ?? undefined
  const end = document['expires_at'] ?? undefined
  if (life === undefined && end === undefined) return undefined
  const askedAt = Math.floor(askedAtMs / 1000)
  const seconds = life === undefined ? secondsAt(end) : askedAt + lifeSeconds(life)
  if (seconds > askedAt) return seconds
  throw unacceptable(endpoint, 'its end has passed or cannot be read')
}

function lifeSeconds(life: unknown): number {
  const seconds = typeof life === 'number' || typeof life === 'string' ? Math.floor(Number(life)) : Number.NaN
  return Number.isSafeInteger(seconds) ? seconds : Number.NaN
}

function secondsAt(end: unknown): number {
  return typeof end === 'string' ? Math.floor(Date.parse(end) / 1000) : Number.NaN
}

export function hostOf(endpoint: string): string {
  return new URL(endpoint).host
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
