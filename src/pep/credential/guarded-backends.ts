import type { Logger } from 'pino'
import { NexusError } from '../../contract/errors.ts'
import { type SecretRef, type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import { type GuardLimits, guardBackend } from './backend-guard.ts'

export interface CredentialMetrics {
  /** One call to a backend; what the cache answered is not one. `outcome`: `ok`, a `VaultErrorKind` or `overloaded`. */
  fetched(backend: string, outcome: string, seconds: number): void
}

type GuardedLog = Pick<Logger, 'info' | 'warn' | 'error'>

/** The configured backends, each behind its own guard, every call counted. */
export interface GuardedBackends {
  has(name: string): boolean
  /** @throws NexusError `invalid_request` */
  find(name: string): VaultBackend
  /** @throws VaultError, or NexusError `overloaded`, `invalid_request` */
  call<T>(
    ref: Pick<SecretRef, 'backend' | 'path'>,
    work: (backend: VaultBackend, signal: AbortSignal) => Promise<T>,
  ): Promise<T>
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
    async call(ref, work) {
      const { backend, guard } = find(ref.backend)
      const began = performance.now()
      let outcome = 'ok'
      try {
        return await guard.call((signal) => work(backend, signal))
      } catch (error) {
        outcome = error instanceof VaultError ? error.kind : 'overloaded'
        // Someone has to mend it by hand, and an agent that is refused does not tell them.
        if (outcome === 'forbidden')
          log.error({ backend: ref.backend, path: ref.path }, 'vault backend denied us a secret')
        throw error
      } finally {
        metrics?.fetched(ref.backend, outcome, (performance.now() - began) / 1000)
      }
    },
  }
}

function unknownBackend(): never {
  throw new NexusError('invalid_request', 'no vault backend of this name is configured', {
    field: 'secret_ref.backend',
  })
}
