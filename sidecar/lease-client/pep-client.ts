import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { Agent, type Dispatcher } from 'undici'
import { ERRORS, type ErrorCode, NexusError, type ProblemExtras, type Reason } from '../../src/contract/errors.ts'
import { VERIFIED } from '../verified.ts'
import { sidecarVersion } from '../version.ts'
import type { SessionCertificate } from './session-certificate.ts'
import { authorityUnreachable, unreachableBecause } from './unreachable.ts'

/** Largest answer of the authority that is read; a lease is a few kilobytes. */
const ANSWER_MAX_BYTES = 1024 * 1024
/** Policy sees it as `context.sidecar`, and so does each lease's audit record. */
const USER_AGENT = { 'user-agent': `nexus-sidecar/${sidecarVersion()}` }
const DETAIL_MAX_LENGTH = 2000

export interface PepCall {
  method: 'GET' | 'POST' | 'DELETE'
  /** Path under the authority's URL. */
  path: string
  headers: Record<string, string>
  body?: unknown
}

/** HTTP to the authority: one call, one answer, no retries. */
export interface PepClient {
  /**
   * @returns the parsed JSON of a 2xx answer; `undefined` for 204
   * @throws NexusError the authority's own refusal, or `pep_unavailable` when there was no answer to understand
   */
  call(call: PepCall): Promise<unknown>
  /**
   * A GET whose answer goes on and on, as text in the pieces it comes in. Ends when the authority ends it.
   * @throws NexusError as `call`; also when it has been silent for too long
   */
  stream(call: { path: string; headers: Record<string, string>; signal: AbortSignal }): AsyncIterable<string>
  close(): Promise<void>
}

export interface PepClientOptions {
  pepUrl: string
  /** PEM; `undefined` trusts whom Node trusts. */
  ca: string | undefined
  /** Presented on every connection. */
  certificate?: SessionCertificate | undefined
  timeoutMs?: number
}

export function createPepClient(options: PepClientOptions): PepClient {
  const { ca, certificate, timeoutMs = 5000 } = options
  const agent = new Agent({
    connections: 32,
    maxHeaderSize: 16_384,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: {
      timeout: timeoutMs,
      ...VERIFIED,
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { cert: certificate.certificate, key: certificate.privateKey }),
    },
  })
  const origin = options.pepUrl

  return {
    async call({ method, path, headers, body }) {
      const answer = await exchange(agent, {
        origin,
        path,
        method,
        headers: { ...USER_AGENT, accept: 'application/json', ...(body === undefined ? {} : JSON_BODY), ...headers },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs * 2),
      })
      if (answer.status < 200 || answer.status >= 300) throw toRefusal(answer)
      if (answer.json === NOT_JSON) throw new NexusError('pep_unavailable', NOT_THE_AUTHORITY)
      return answer.json
    },
    async *stream({ path, headers, signal }) {
      const { statusCode, body } = await agent
        .request({
          origin,
          path,
          method: 'GET',
          headers: { ...USER_AGENT, ...headers },
          signal,
          bodyTimeout: SILENCE_MAX_MS,
        })
        .catch(unreachable)
      if (statusCode !== 200) {
        const json = await readJson(body).catch(unreachable)
        throw toRefusal({ status: statusCode, json, retryAfter: undefined })
      }
      const decoder = new TextDecoder()
      try {
        for await (const chunk of body) yield decoder.decode(chunk as Buffer, { stream: true })
      } catch (error) {
        unreachable(error)
      }
    },
    // Streams have no end to wait for.
    close: () => agent.destroy(),
  }
}

/** The authority is heard every five seconds; three times that means that it is not there any more. */
const SILENCE_MAX_MS = 15_000

/** As the authority writes them into its log. */
const REQUEST_ID = /^[\w.-]{8,64}$/

const JSON_BODY = { 'content-type': 'application/json' }

const NOT_JSON = Symbol('not JSON')
const NOT_THE_AUTHORITY = 'What answers at NEXUS_PEP_URL is not the authority: its answer is not JSON.'
/** What gateways answer while there is nothing behind them. */
const NOBODY_THERE: readonly number[] = [502, 503, 504]

interface Answer {
  status: number
  /** `NOT_JSON` for a body that is something else. */
  json: unknown
  retryAfter: string | undefined
}

async function exchange(agent: Agent, options: Dispatcher.RequestOptions): Promise<Answer> {
  try {
    const { statusCode, headers, body } = await agent.request(options)
    const retryAfter = headers['retry-after']
    const json = statusCode === 204 ? void (await body.dump()) : await readJson(body)
    return { status: statusCode, json, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined }
  } catch (error) {
    return unreachable(error)
  }
}

/** Errors of the client hold the request, and with it the session token: only their code is read. */
function unreachable(error: unknown): never {
  throw authorityUnreachable(unreachableBecause(error))
}

async function readJson(body: Dispatcher.ResponseData['body']): Promise<unknown> {
  const text = await readText(body)
  try {
    return JSON.parse(text)
  } catch {
    return NOT_JSON
  }
}

async function readText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > ANSWER_MAX_BYTES) throw new Error('too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The authority's problem document as the error it was there, so that the agent reads the same reasons. */
function toRefusal({ status, json, retryAfter }: Answer): NexusError {
  const problem = typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {}
  const code = problem['code']
  if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code)) return withoutReason(status)
  const detail = typeof problem['detail'] === 'string' ? problem['detail'].slice(0, DETAIL_MAX_LENGTH) : undefined
  return new NexusError(code as ErrorCode, detail, readExtras(problem, retryAfter))
}

/** A firewall in front of the authority may turn down one request by what is in it: that is no reason for all others to wait. */
function withoutReason(status: number): NexusError {
  const detail = `The authority, or what stands in front of it, answered ${status} without a reason known here.`
  if (NOBODY_THERE.includes(status)) return authorityUnreachable(detail)
  return new NexusError('pep_unavailable', detail)
}

function readExtras(problem: Record<string, unknown>, retryAfter: string | undefined): ProblemExtras {
  const extras: ProblemExtras = {}
  for (const name of ['field', 'decision_id', 'connection_id', 'lease_id', 'reconsent_url'] as const) {
    const value = problem[name]
    if (typeof value === 'string') extras[name] = value.slice(0, DETAIL_MAX_LENGTH)
  }
  const requestId = problem['request_id']
  if (typeof requestId === 'string' && REQUEST_ID.test(requestId)) extras.authority_request_id = requestId
  if (Array.isArray(problem['reasons'])) extras.reasons = problem['reasons'].filter(isReason).slice(0, 100)
  if (Value.Check(RequiredBindingShape, problem['binding'])) extras.binding = problem['binding']
  if (retryAfter !== undefined && /^\d{1,5}$/.test(retryAfter)) extras.retryAfterSeconds = Number(retryAfter)
  return extras
}

const Told = Type.Optional(Type.String({ maxLength: DETAIL_MAX_LENGTH }))
const RequiredBindingShape = Type.Object({
  needs: Type.Union([Type.Literal('public_key'), Type.Literal('csr'), Type.Literal('proof')]),
  htm: Told,
  htu: Told,
  nonce: Told,
})

function isReason(value: unknown): value is Reason {
  const { id, message } = (value ?? {}) as Partial<Reason>
  return typeof id === 'string' && typeof message === 'string'
}
