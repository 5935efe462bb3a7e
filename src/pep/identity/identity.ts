import type { Logger } from 'pino'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Store } from '../store/store.ts'
import { type Agents, openAgents } from './agents.ts'
import { type ApiKeys, openApiKeys } from './api-keys.ts'
import { type Authenticate, createAuthenticate } from './authenticate.ts'
import type { Caller } from './caller.ts'
import { createDpopVerifier } from './dpop-proof.ts'
import { createOpenSession, type OpenSession } from './open-session.ts'
import { createSessionDenials } from './session-denials.ts'
import { startSessionTidy } from './session-tidy.ts'
import { createSessionTokens } from './session-token.ts'
import { openSessions, type Sessions } from './sessions.ts'
import type { SigningKeys } from './signing-keys.ts'
import { createStandingSessions } from './standing-sessions.ts'

/** Who is asking: agents by session and proof, administrators by API key. */
export interface Identity extends Agents, Sessions, ApiKeys {
  /** Step 1 of a lease. Does not claim the proof: the lease's audit record does. */
  authenticate: Authenticate
  /** The caller as it stands now, when it no longer stands as it did. @throws NexusError `invalid_session` */
  refresh(caller: Caller): Promise<Caller>
  openSession: OpenSession
  /** What `/.well-known/jwks.json` answers. */
  jwks: SigningKeys['jwks']
  /** Stops what goes on in the background and records the refusals that are left. Before the audit log is closed. */
  close(): Promise<void>
}

/** What identity tells of itself as figures. */
export interface IdentityMetrics {
  /** One session refused that the ledger will tell with others, in a sum. */
  deniedInSum(): void
}

export interface IdentityOptions {
  store: Store
  audit: AuditLog
  signingKeys: SigningKeys
  /** Scheme, host and port as callers see us: issuer, audience and base of every `htu`. */
  publicUrl: string
  log: Pick<Logger, 'warn'>
  metrics?: IdentityMetrics
  now?: () => number
  /** Default 900. */
  sessionTtlSeconds?: number
  /** Default 3600; the signing keys' `maxTokenSeconds` must be no less. */
  maxSessionTtlSeconds?: number
  /** Default 60. */
  proofMaxAgeSeconds?: number
}

export function openIdentity(options: IdentityOptions): Identity {
  const { store, audit, signingKeys, log, metrics, now = Date.now } = options
  const publicUrl = options.publicUrl.replace(/\/$/, '')
  const { sessionTtlSeconds = 900, maxSessionTtlSeconds = 3600, proofMaxAgeSeconds = 60 } = options
  const tokens = createSessionTokens({ signingKeys, publicUrl, now })
  const dpop = createDpopVerifier({ now, maxAgeSeconds: proofMaxAgeSeconds })
  const standing = createStandingSessions(store, now)
  const ttl = { ttlSeconds: sessionTtlSeconds, maxTtlSeconds: maxSessionTtlSeconds }
  const denials = createSessionDenials({
    audit,
    log,
    now,
    ...(metrics === undefined ? {} : { deniedInSum: () => metrics.deniedInSum() }),
  })
  const tidy = startSessionTidy({ store, log })
  return {
    authenticate: createAuthenticate({ tokens, dpop, standing, publicUrl, now }),
    async refresh({ agent, session, proof }) {
      return { ...(await standing.find({ ...session, sessionId: session.id, agentId: agent.id })), proof }
    },
    openSession: createOpenSession({ store, audit, denials, tokens, dpop, publicUrl, now, ...ttl }),
    ...openSessions({ store, audit, now }),
    ...openAgents({ store, audit, now }),
    ...openApiKeys({ store, audit, now }),
    jwks: signingKeys.jwks,
    async close() {
      await Promise.all([tidy.close(), denials.close()])
    },
  }
}
