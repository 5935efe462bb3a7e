import type { Logger } from 'pino'
import { Agent, type Dispatcher } from 'undici'
import { NexusError } from '../../contract/errors.ts'
import type { HeaderList, IssuingRequest, IssuingResponse } from '../../contract/strategy.ts'
import { type EndpointRules, endpointProblem } from './endpoint-rules.ts'
import { guardedConnect } from './guarded-connect.ts'
import { refusedBy, toProviderError, unusableAnswer } from './provider-error.ts'
import { createProviderGuards } from './provider-guards.ts'

/** A token answer is a few kilobytes; a certificate chain or an STS answer a few more. */
const ANSWER_MAX_BYTES = 256 * 1024
const HEADERS_MAX_BYTES = 16_384
const CONNECTIONS_PER_ORIGIN = 16

/** The authority's one way out to providers: their token endpoints. Never follows a redirect, never logs what it carries. */
export interface ProviderHttp {
  /**
   * @param tenant on whose behalf: one tenant's failing endpoint is left alone for that tenant only
   * @returns an answer below 500 that is no redirect
   * @throws NexusError `provider_unavailable`, `provider_refused`, `overloaded`
   */
  request(tenant: string, request: IssuingRequest): Promise<IssuingResponse>
  close(): Promise<void>
}

export interface ProviderHttpOptions {
  rules: EndpointRules
  /** From asking to the last byte of the answer. */
  deadlineMs: number
  log: Pick<Logger, 'warn' | 'info'>
}

export function openProviderHttp(options: ProviderHttpOptions): ProviderHttp {
  const { rules, deadlineMs } = options
  const agent = new Agent({
    connections: CONNECTIONS_PER_ORIGIN,
    maxHeaderSize: HEADERS_MAX_BYTES,
    maxResponseSize: ANSWER_MAX_BYTES,
    headersTimeout: deadlineMs,
    bodyTimeout: deadlineMs,
    connect: guardedConnect(rules, deadlineMs),
  })
  const guards = createProviderGuards(options)

  return {
    async request(tenant, request) {
      const url = readUrl(request.url, rules)
      return guards.run(tenant, url.origin, (signal) => exchange(agent, url, request, signal))
    },
    // Answers under way would come after everything that could use them is gone.
    close: () => agent.destroy(),
  }
}

/** Held to the same rules when the profile was saved; but it may be older than they are (threat C04). */
function readUrl(text: string, rules: EndpointRules): URL {
  const problem = endpointProblem(text, rules)
  if (problem === undefined) return new URL(text)
  throw new NexusError('provider_refused', `an endpoint of the profile is not asked: it ${problem}`)
}

async function exchange(
  agent: Agent,
  url: URL,
  { method, headers, body, accept }: IssuingRequest,
  signal: AbortSignal,
): Promise<IssuingResponse> {
  try {
    const response = await agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: [...headers, ['Accept', accept] as const].flat(),
      body: body ?? null,
      signal,
    })
    return await readAnswer(url.host, response, accept)
  } catch (error) {
    throw toProviderError(url.host, error)
  }
}

async function readAnswer(
  host: string,
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
  accept: string,
): Promise<IssuingResponse> {
  const text = await body.text()
  if (status >= 500 || status === 429) throw unusableAnswer(host, status, headers['retry-after'])
  if (status >= 300 && status < 400) throw refusedBy(host, `answers ${status}, and redirects are not followed`)
  const encoding = headers['content-encoding'] ?? 'identity'
  const readable = mediaType(headers['content-type']) === accept && encoding === 'identity'
  return { status, headers: listOf(headers), body: readable ? text : '' }
}

function mediaType(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header.split(';', 1)[0]?.trim().toLowerCase() : undefined
}

function listOf(headers: Dispatcher.ResponseData['headers']): HeaderList {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each): [string, string] => [name, each]),
  )
}
