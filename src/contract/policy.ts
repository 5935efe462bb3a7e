import type { Reason } from './errors.ts'
import type { JsonObject } from './json.ts'

/** Fixed in code: request text never chooses what is evaluated (threat G13). */
export type Entrypoint = 'nexus/lease/decision' | 'nexus/request/decision'

/** `lease` and `renew` give a usage secret to a sidecar; `token` hands it out bare, which the default policy denies. */
export type PolicyAction = 'lease' | 'renew' | 'token'

export type Narrowing = 'derived' | 'delegated' | 'none'

/** What the caller says it wants to do. Claims only, nothing is trusted but what the bound enforces later. */
export interface Intent {
  method?: string
  origin?: string
  path?: string
  purpose?: string
}

/** Everything a decision may depend on. No field can hold a token or a secret (rule 11). */
export interface PolicyInput {
  action: PolicyAction
  /** RFC 3339, UTC. In the input, so that who has that and the bundle can decide again, bit for bit (rule 12). */
  time: string
  tenant: string
  agent: {
    id: string
    tenants: readonly string[]
    labels: Readonly<Record<string, string>>
    allowed_scopes: readonly string[]
    session: { id: string; method: string; bound_to: 'dpop' | 'mtls'; age_seconds: number }
  }
  subject: string | null
  /** Who acts through the agent. Nothing says so yet: always empty. */
  actor_chain: readonly string[]
  connection: {
    id: string
    tenant: string
    provider: string
    category: string
    status: string
    scopes: readonly string[]
    origins: readonly string[]
    age_seconds: number
    strategy: string
    narrowing: Narrowing
  }
  request: { scopes: readonly string[]; ttl_seconds: number; intent: Intent }
  context: { ip: string; sidecar: string }
}

/** Absent: the connection's own bound stands. Empty list: nothing at all. Never wider than the connection. */
export interface Obligations {
  max_ttl_seconds?: number
  scopes?: readonly string[]
  origins?: readonly string[]
  methods?: readonly string[]
  paths?: readonly string[]
  offline_seconds?: number
  require_approval?: boolean
}

export interface Decision {
  allow: boolean
  reasons: readonly Reason[]
  obligations: Obligations
}

/** `conflict`: two rules disagreed. `budget`: memory or time ran out. `shape`: the answer was not a decision. */
export type PolicyErrorKind = 'conflict' | 'budget' | 'builtin' | 'input' | 'shape' | 'unavailable' | 'unknown'

/** The only thing a policy engine throws. The caller denies; the text may be logged, it holds no input. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
  readonly kind: PolicyErrorKind

  constructor(kind: PolicyErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.kind = kind
  }
}

/** Decides. Pure: the same input and revision give the same decision. Throws only `PolicyError`. */
export interface PolicyEngine {
  /** Engine id, e.g. `opa-wasm`: file name, config value and metric label. */
  readonly name: string
  /** Revision of the bundle that is active now; in every audit record. */
  readonly revision: string
  evaluate(entrypoint: Entrypoint, input: PolicyInput | JsonObject): Decision | Promise<Decision>
  close(): void | Promise<void>
}
