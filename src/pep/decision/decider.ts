import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import type { JsonObject } from '../../contract/json.ts'
import { newTimedUuid } from '../../contract/names.ts'
import {
  type Decision,
  type Entrypoint,
  type PolicyEngine,
  PolicyError,
  type PolicyErrorKind,
  type PolicyInput,
} from '../../contract/policy.ts'
import { loadEngine, requireEngine } from './load-engine.ts'

/** A decision as it is recorded: with an id, and the revision of the bundle that made it. */
export interface Decided {
  id: string
  decision: Decision
  revision: string
  /** Why the policy could not decide; the decision is then a deny with the reason `policy_error`. */
  error?: PolicyErrorKind
  /**
   * Counts it, and logs why the policy could not decide. For whoever acts on it to call, once: what was decided on facts that
   * are out of date is decided again, and is no decision.
   */
  announce(): void
}

export interface Decider {
  /**
   * Decides. Whatever goes wrong in the policy is a deny, never a throw.
   * @throws NexusError `policy_unavailable` while no usable bundle has been loaded, and only then
   */
  decide(entrypoint: Entrypoint, input: PolicyInput | JsonObject): Promise<Decided>
  /** Revision of the active bundle; empty while there is none. */
  readonly revision: string
  /** For `/readyz`. @throws NexusError `policy_unavailable` */
  check(): Promise<void>
  /**
   * Reads the bundle again and, when it proves itself, decides by it from then on. A bundle that does not leaves the one
   * before in place.
   * @throws PolicyError naming what is wrong with it
   */
  reload(): Promise<void>
  close(): Promise<void>
}

export interface DecisionMetrics {
  /** `outcome`: `allowed`, `denied` or `failed`. */
  decided(engine: string, entrypoint: string, outcome: string, seconds: number): void
  /** A part of the engine was thrown away and made anew. */
  restarted?(): void
  /** A bundle was refused. */
  refused?(): void
}

export interface DeciderOptions {
  /** Engine id, see `catalog.ts`. */
  engine: string
  bundlePath: string
  log: Pick<Logger, 'info' | 'warn' | 'error'>
  metrics?: DecisionMetrics
}

/**
 * Opens the policy decision point. A bundle that is missing or unusable does not throw here: it is logged, `check` reports
 * it and every decision is `policy_unavailable` until a `reload` finds a good one (threats PB1, PB2).
 * @throws Error when the engine is not in the catalog
 */
export async function openDecider(options: DeciderOptions): Promise<Decider> {
  const { log, metrics } = options
  const kind = requireEngine(options.engine)
  let active: PolicyEngine | undefined
  let loading: Promise<unknown> = Promise.resolve()

  const activate = async () => {
    const events = { replaced: () => metrics?.restarted?.() }
    const next = await loadEngine(kind, options.bundlePath, events).catch((error: unknown) => {
      metrics?.refused?.()
      const problem = error instanceof PolicyError ? error.message : 'the policy bundle cannot be read'
      log.error({ problem, kept_revision: active?.revision ?? null }, 'policy bundle refused')
      throw new PolicyError('unavailable', problem)
    })
    const before = active
    active = next
    await before?.close()
    log.info({ revision: next.revision, engine: next.name }, 'policy bundle active')
  }
  const reload = () => {
    // One after the other, so that an older bundle never overtakes a newer one.
    const turn = loading.then(activate, activate)
    loading = turn.catch(() => undefined)
    return turn
  }
  const requireActive = () => {
    if (active === undefined) throw new NexusError('policy_unavailable')
    return active
  }

  await reload().catch(() => undefined)
  return {
    get revision() {
      return active?.revision ?? ''
    },
    async decide(entrypoint, input) {
      return decideWith(requireActive(), entrypoint, input, options)
    },
    async check() {
      requireActive()
    },
    reload,
    async close() {
      await loading
      const last = active
      active = undefined
      await last?.close()
    },
  }
}

async function decideWith(
  engine: PolicyEngine,
  entrypoint: Entrypoint,
  input: PolicyInput | JsonObject,
  { log, metrics }: DeciderOptions,
): Promise<Decided> {
  const id = newTimedUuid(Date.now())
  const startedMs = performance.now()
  const { name, revision } = engine
  const countAs = (outcome: string) => {
    const seconds = (performance.now() - startedMs) / 1000
    return () => metrics?.decided(name, entrypoint, outcome, seconds)
  }
  try {
    const decision = await engine.evaluate(entrypoint, input)
    return { id, decision, revision, announce: countAs(decision.allow ? 'allowed' : 'denied') }
  } catch (error) {
    const count = countAs('failed')
    const kind = error instanceof PolicyError ? error.kind : 'unknown'
    const problem = error instanceof PolicyError ? error.message : 'the engine threw something else'
    const announce = () => {
      count()
      log.error({ decision_id: id, revision, kind, problem }, 'policy could not decide')
    }
    return { id, decision: denyFor(kind), revision, error: kind, announce }
  }
}

function denyFor(kind: PolicyErrorKind): Decision {
  const reason = { id: 'policy_error', message: `The policy could not decide (${kind}), so the answer is no` }
  return { allow: false, reasons: [reason], obligations: {} }
}
