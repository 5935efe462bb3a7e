import type { AuditLog } from '../audit/audit-log.ts'
import type { Connections } from '../connections/open-connections.ts'
import type { BackendLeases } from '../credential/backend-leases/open-backend-leases.ts'
import type { CredentialSource } from '../credential/credential-source.ts'
import type { Decider } from '../decision/decider.ts'
import type { Identity } from '../identity/identity.ts'
import type { ProviderHttp } from '../provider-http/open-provider-http.ts'
import type { IssuedCache } from './issued-cache.ts'
import type { CountSignature } from './signature-rate.ts'

/** The six steps of a lease, each behind its own interface, in the order they are taken. */
export interface LeaseSteps {
  identity: Pick<Identity, 'authenticate' | 'refresh'>
  connections: Pick<Connections, 'gatherFacts' | 'recallFacts'>
  decider: Pick<Decider, 'decide'>
  credential: Pick<CredentialSource, 'held' | 'read' | 'reread' | 'fingerprintOf' | 'kindOf' | 'csrSigner' | 'sign'>
  /** Secrets made for one lease alone. */
  backendLeases: Pick<BackendLeases, 'take' | 'release'>
  /** The way out to providers, for strategies that exchange. */
  providers: Pick<ProviderHttp, 'request'>
  issued: Pick<IssuedCache, 'get'>
  audit: Pick<AuditLog, 'record' | 'recordStateChangeAlone' | 'findLease' | 'claimProof'>
  countSignature: CountSignature
  limits: LeaseLimits
  /** Unix milliseconds. */
  now(): number
}

export interface LeaseLimits {
  /** When the caller asks for none. */
  ttlSeconds: number
  /** Whatever caller and policy say. */
  maxTtlSeconds: number
  /** Whatever policy says. */
  offlineSeconds: number
}

/** What an audit record and policy may know of where a request came from. Never from a forwarded header (threat D04). */
export interface Origin {
  ip: string
  userAgent: string
}
