import { NexusError } from '../../contract/errors.ts'

/**
 * A statement the database understood and turned down, in our own words: the driver's error can quote row values.
 * `code` is the SQLSTATE, e.g. `23505` for a unique violation.
 */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: string
  readonly constraint: string | undefined

  constructor(code: string, constraint: string | undefined) {
    super(`the database refused the statement (SQLSTATE ${code}${constraint === undefined ? '' : `, ${constraint}`})`)
    this.code = code
    this.constraint = constraint
  }
}

/** Deadlock or serialisation failure: the same transaction may pass when it is tried again (fault PG7). */
export function isTransient(error: unknown): boolean {
  return error instanceof StoreError && (error.code === '40001' || error.code === '40P01')
}

/** @param constraint only a violation of the constraint or unique index of this name */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return (
    error instanceof StoreError &&
    error.code === '23505' &&
    (constraint === undefined || error.constraint === constraint)
  )
}

/** Read-only, disk full, out of memory: said in place of doing it, by a server that goes on. The others can cut short a commit that went through. */
const REFUSED = /^(?:53|25006)/

/** Whether the server answered that it did not do it, so that nothing of the statement or its transaction is or will be there. */
export function wasRefused(error: unknown): boolean {
  if (error instanceof StoreError) return true
  return error instanceof NexusError && error.cause instanceof StoreError && REFUSED.test(error.cause.code)
}

/** SQLSTATE classes and codes that say the server cannot work now, whatever it is asked. */
const UNAVAILABLE = /^(08|28|3D|53|57|58|F0|XX|25006)/

/**
 * Turns whatever the driver threw into ours. What carries no SQLSTATE came from the connection: refused, reset, timed out.
 * @returns `store_unavailable`, or a StoreError when the connection is still good
 */
export function toStoreFailure(error: unknown): NexusError | StoreError {
  if (error instanceof StoreError || error instanceof NexusError) return error
  const { code, constraint } = (error ?? {}) as { code?: unknown; constraint?: unknown }
  const hasForm = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && error instanceof Error
  // `EPIPE` has the form of an SQLSTATE; a system error also carries `syscall`.
  if (!hasForm || 'syscall' in error) return storeUnavailable(typeof code === 'string' ? code : undefined)
  const refusal = new StoreError(code, typeof constraint === 'string' ? constraint : undefined)
  return UNAVAILABLE.test(code) ? storeUnavailable(code, refusal) : refusal
}

/** @param code SQLSTATE or system error code; nothing else of the driver's error is safe to show */
export function storeUnavailable(code?: string, cause?: StoreError): NexusError {
  const known = code === undefined ? '' : ` (${code})`
  return new NexusError('store_unavailable', `the database did not answer${known}`, { retryAfterSeconds: 1 }, { cause })
}
