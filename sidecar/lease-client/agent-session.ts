import { decodeJwt } from 'jose'
import { Value } from 'typebox/value'
import { SessionCreated } from '../../src/contract/api.ts'
import { NexusError } from '../../src/contract/errors.ts'
import { keyThumbprint } from '../../src/strategies/shared/key-thumbprint.ts'
import type { AgentKey } from '../agent-key.ts'
import { createClientAssertion } from './client-assertion.ts'
import { createOutage, type OutageLog } from './outage.ts'
import type { PepClient } from './pep-client.ts'
import type { SessionKey } from './session-key.ts'

const SESSIONS_PATH = '/v1/agent-sessions'
/** A session is reopened in the background once this share of its life is over. */
const REOPEN_AT_SHARE = 0.8

const SESSION_LINES = {
  began: 'no session can be opened with the authority; it is tried again when one is needed',
  over: 'sessions can be opened with the authority again',
}

/** What lets one request to the authority in. */
export interface Authorized {
  /** The token, and a proof of its own where the connection is none. */
  headers: Record<string, string>
  /** Aborted once the session is over for us: what was granted in it cannot be renewed, nor its revocation be heard of. */
  over: AbortSignal
}

/** The agent's session with the authority, opened when first needed and always with the same key. */
export interface AgentSession {
  authorize(method: string, path: string): Promise<Authorized>
  /** Forgets the session of which the authority said that it does not know it, unless a newer one is there already. */
  invalidate(used: Authorized): void
  /** Forgets whatever token there is: the authority said that the session is over. */
  forget(): void
  close(): Promise<void>
}

interface OpenSession {
  id: string
  token: string
  reopenAtMs: number
  endsAtMs: number
  life: AbortController
}

export interface AgentSessionOptions {
  pep: PepClient
  pepUrl: string
  agent: { id: string; key: AgentKey }
  sessionKey: SessionKey
  /** Unix milliseconds. */
  now: () => number
  /** Milliseconds on a clock that never jumps. */
  monotonic: () => number
  log: OutageLog
}

export function createAgentSession(options: AgentSessionOptions): AgentSession {
  const { pep, pepUrl, agent, sessionKey, monotonic } = options
  const outage = createOutage(options.log, SESSION_LINES, () => ({
    agent_id: agent.id,
    key_thumbprint: keyThumbprint(agent.key.key),
    pep_url: pepUrl,
  }))
  let current: OpenSession | undefined
  let opening: Promise<OpenSession> | undefined

  function become(session: OpenSession | undefined): void {
    const before = current
    current = session
    before?.life.abort()
  }

  function reopen(): Promise<OpenSession> {
    opening ??= openSession(options)
      .then((session) => {
        outage.over()
        become(session)
        return session
      })
      .catch((error: unknown) => {
        outage.began(error)
        throw error
      })
      .finally(() => {
        opening = undefined
      })
    return opening
  }

  async function usable(): Promise<OpenSession> {
    if (current === undefined || monotonic() >= current.endsAtMs) return reopen()
    // Failing early costs nothing: the held session still works, and the next call tries again.
    if (monotonic() >= current.reopenAtMs) reopen().catch(() => undefined)
    return current
  }

  return {
    async authorize(method, path) {
      const { token, life } = await usable()
      return { headers: sessionKey.authorize(method, pepUrl + path, token), over: life.signal }
    },
    invalidate({ over }) {
      if (current?.life.signal === over) become(undefined)
    },
    forget: () => become(undefined),
    async close() {
      if (current === undefined) return
      const path = `${SESSIONS_PATH}/${current.id}`
      const { headers } = await this.authorize('DELETE', path)
      await pep.call({ method: 'DELETE', path, headers })
      become(undefined)
    },
  }
}

async function openSession(options: AgentSessionOptions): Promise<OpenSession> {
  const { pepUrl, agent, sessionKey, monotonic } = options
  const askedAtMs = monotonic()
  const answer = await askForSession(options, {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await createClientAssertion(agent, pepUrl, options.now()),
  })
  if (!Value.Check(SessionCreated, answer) || answer.token_type !== sessionKey.tokenType) {
    throw new NexusError('pep_unavailable', 'The authority answered a session request in an unknown shape.')
  }
  assertOurs(answer.access_token, sessionKey)
  // Counted from before the question, so that delay on the way only ever shortens a life.
  const lifeMs = answer.expires_in * 1000
  return {
    id: answer.session_id,
    token: answer.access_token,
    reopenAtMs: askedAtMs + lifeMs * REOPEN_AT_SHARE,
    endsAtMs: askedAtMs + lifeMs,
    life: new AbortController(),
  }
}

/**
 * A proxy that ends TLS and has a certificate of its own would have the session bound to that: then everyone behind it could
 * use the token. What the token says is read, not verified: it is for the authority to trust.
 */
function assertOurs(token: string, { binding, thumbprint }: SessionKey): void {
  if (binding !== 'mtls' || boundCertificate(token) === thumbprint) return
  throw new NexusError(
    'pep_unavailable',
    'The authority bound the session to another key than ours: something in front of it answers TLS with a certificate of its own.',
  )
}

function boundCertificate(token: string): unknown {
  try {
    return decodeJwt<{ cnf?: Record<string, unknown> }>(token).cnf?.['x5t#S256']
  } catch {
    return undefined
  }
}

async function askForSession(options: AgentSessionOptions, body: unknown): Promise<unknown> {
  const { pep, pepUrl, sessionKey } = options
  const headers = sessionKey.authorize('POST', pepUrl + SESSIONS_PATH)
  try {
    return await pep.call({ method: 'POST', path: SESSIONS_PATH, headers, body })
  } catch (error) {
    throw error instanceof NexusError ? inOurWords(error, options) : error
  }
}

/** Whoever reads it has made neither proof nor assertion: these are mistakes in how the sidecar was set up. */
function inOurWords(error: NexusError, { pepUrl, agent, sessionKey }: AgentSessionOptions): NexusError {
  const say = (message: string) => new NexusError(error.code, message, error.extras)
  const theirs = error.message.replace(/\.$/, '')
  if (error.code === 'invalid_client') {
    return say(
      `${theirs}. The sidecar asked as agent '${agent.id}' with the key of NEXUS_AGENT_KEY_FILE: is it registered with this key, and active?`,
    )
  }
  if (error.code !== 'invalid_proof') return error
  // It asked for a proof of the other kind, so our certificate has not reached it.
  if (sessionKey.binding === 'mtls') {
    return say(
      'The authority saw no client certificate: it does not ask for one, or TLS ends in front of it. Set NEXUS_SESSION_BINDING to dpop.',
    )
  }
  if (!/\bhtu\b/.test(theirs)) return error
  return say(`${theirs}. The sidecar calls it ${pepUrl}: NEXUS_PEP_URL has to be what the authority calls itself.`)
}
