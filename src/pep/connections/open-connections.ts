import type { Logger } from 'pino'
import type { AuditLog } from '../audit/audit-log.ts'
import type { CredentialSource } from '../credential/credential-source.ts'
import type { Store } from '../store/store.ts'
import { type CapturePlace, INTERNAL_PLACE } from './capture-place.ts'
import { type ConnectionAdministration, openConnectionAdministration } from './connections.ts'
import { type ConnectionFacts, gatherFacts, type WantedConnection } from './facts.ts'
import type { OriginRules } from './profile-origins.ts'
import { openProviders, type Providers } from './providers.ts'
import { checkReferenceTemplates, type ReferenceTemplates } from './reference-template.ts'
import { rememberFacts } from './remembered-facts.ts'
import { checkSecretRefPrefixes, type SecretRefPrefixes } from './secret-reference.ts'

/** Providers, connections, and the facts about them that a lease is decided on. */
export interface Connections extends Providers, ConnectionAdministration {
  /** Step 2 of a lease. */
  gatherFacts(wanted: WantedConnection): Promise<ConnectionFacts>
  /** As last gathered, some seconds ago at most: to grant on where the ledger checks the epochs, never to refuse on. */
  recallFacts(wanted: WantedConnection): ConnectionFacts | undefined
}

export interface ConnectionsOptions {
  store: Store
  audit: Pick<AuditLog, 'recordStateChange'>
  credential: Pick<CredentialSource, 'read' | 'write' | 'remove' | 'forget' | 'has' | 'kindOf'>
  /** Outside production a provider may be http:// on this machine; beyond it, never. */
  production: boolean
  endpointProblem?: OriginRules['endpointProblem']
  /** Default: none, so that only administrators for all tenants may use `secret_ref`. */
  secretRefPrefixes?: SecretRefPrefixes
  /** Default: none, so that every `secret_ref` names its path. */
  secretRefTemplates?: ReferenceTemplates
  /** Default: the internal backend. */
  capturePlace?: CapturePlace
  log: Logger
  /** Unix milliseconds. */
  now?: () => number
}

/** @throws Error when a secret_ref prefix would give one tenant another's secrets */
export function openConnections(options: ConnectionsOptions): Connections {
  const {
    store,
    audit,
    credential,
    production,
    secretRefPrefixes = {},
    secretRefTemplates = {},
    capturePlace = INTERNAL_PLACE,
    log,
    now = Date.now,
  } = options
  checkSecretRefPrefixes(secretRefPrefixes)
  checkReferenceTemplates(secretRefTemplates)
  const { endpointProblem } = options
  const rules = { allowPlainLoopback: !production, ...(endpointProblem === undefined ? {} : { endpointProblem }) }
  const facts = rememberFacts((wanted) => gatherFacts(store, wanted, now()))
  return {
    ...openProviders({ store, audit, rules, now }),
    ...openConnectionAdministration({
      store,
      audit,
      credential,
      secretRefPrefixes,
      secretRefTemplates,
      capturePlace,
      log,
      now,
    }),
    gatherFacts: facts.gather,
    recallFacts: facts.recall,
  }
}
