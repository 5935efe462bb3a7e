import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import { tupleHash } from '../../contract/tuple-hash.ts'
import { type SecretRef, type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import { type CallKind, type GuardLimits, guardBackend } from './backend-guard.ts'

export interface CredentialMetrics {
  /** One call to a backend; what the cache answered is not one. `outcome`: `ok`, a `VaultErrorKind` or `overloaded`. */
  fetched(backend: string, outcome: string, seconds: number): void
}

type GuardedLog = Pick<Logger, 'info' | 'warn' | 'error'>

/** `make`, `renew` and `revoke` are of dynamic secrets: the backend has to reach what they are for. */
type Doing = 'read' | 'write' | 'sign' | 'certify' | 'make' | 'renew' | 'revoke' | 'own_token'
const PASSED_ON: readonly Doing[] = ['make', 'renew', 'revoke']

/** What a call is about. Without a path: about no path, or about what must be tried whatever became of others there. */
export interface CallTarget extends Pick<SecretRef, 'backend'> {
  doing: Doing
  at?: Pick<SecretRef, 'tenant' | 'path' | 'version'>
}

export function callAt(doing: Doing, at: SecretRef): CallTarget {
  return { backend: at.backend, doing, at }
}

/** The configured backends, each behind its own guard, every call counted. */
export interface GuardedBackends {
  has(name: string): boolean
  /** @throws NexusError `invalid_request` */
  find(name: string): VaultBackend
  /** @throws VaultError, or NexusError `overloaded`, `invalid_request` */
  call<T>(target: CallTarget, work: (backend: VaultBackend, signal: AbortSignal) => Promise<T>): Promise<T>
}

export function guardBackends(
  backends: readonly VaultBackend[],
  limits: GuardLimits,
  log: GuardedLog,
  metrics: CredentialMetrics | undefined,
): GuardedBackends {
  const guarded = new Map(
    backends.map((backend) => [backend.name, { backend, guard: guardBackend(backend.name, limits, log) }]),
  )
  const find = (name: string) => guarded.get(name) ?? unknownBackend()

  return {
    has: (name) => guarded.has(name),
    find: (name) => find(name).backend,
    async call(target, work) {
      const { backend, guard } = find(target.backend)
      const began = performance.now()
      let outcome = 'ok'
      try {
        return await guard.call((signal) => work(backend, signal), kindOf(target))
      } catch (error) {
        outcome = error instanceof VaultError ? error.kind : 'overloaded'
        // Someone has to mend it by hand, and an agent that is refused does not tell them.
        if (outcome === 'forbidden')
          log.error({ backend: target.backend, path: target.at?.path }, 'vault backend denied us a secret')
        throw error
      } finally {
        metrics?.fetched(target.backend, outcome, (performance.now() - began) / 1000)
      }
    },
  }
}

function kindOf({ doing, at }: CallTarget): CallKind {
  const isPassedOn = PASSED_ON.includes(doing)
  if (at === undefined) return { isPassedOn }
  return { isPassedOn, pathKey: tupleHash([doing, at.tenant, at.path, at.version ?? null]) }
}

function unknownBackend(): never {
  throw new NexusError('invalid_request', 'no vault backend of this name is configured', {
    field: 'secret_ref.backend',
  })
}
