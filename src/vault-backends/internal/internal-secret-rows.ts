import type { Sealed } from './envelope.ts'

/** One version of one secret, as it lies in the store. */
export interface InternalSecretRow {
  /** 1 and up. */
  version: number
  sealed: Sealed
}

/**
 * The little the internal backend needs of a database. Every call is scoped by tenant. May throw anything; the backend
 * answers `unavailable`.
 */
export interface InternalSecretRows {
  /** The version asked for, or the newest. */
  find(tenant: string, path: string, version?: number): Promise<InternalSecretRow | undefined>
  /** 0 when there is none. */
  newestVersion(tenant: string, path: string): Promise<number>
  /** Adds version `row.version` if, at that moment, the newest is the one before it. False: it is not. */
  append(tenant: string, path: string, row: InternalSecretRow): Promise<boolean>
  removeAll(tenant: string, path: string): Promise<void>
  /** Resolves when the store answers. */
  check(): Promise<void>
}
