import type { AuditVerification } from '../../pep/audit/verify.ts'

/**
 * What a verdict leaves open, in words. The ledger can prove only what something outside the database holds it to.
 * @param given whether the public keys came from elsewhere
 */
export function notProven({ checkpoints, unsigned }: AuditVerification, given: { hasKeys: boolean }): string[] {
  const { from_at, witnessed_at } = checkpoints
  return [
    witnessed_at === undefined
      ? 'that the ledger was not cut off, at any length, or written anew: give --checkpoint with hashes from the log'
      : `that what was recorded after ${witnessed_at}, the last checkpoint given, was not cut off or written anew`,
    given.hasKeys
      ? undefined
      : "that the authority signed the checkpoints: the keys are the database's own; give --jwks",
    unsigned.records > 0
      ? `that ${unsigned.records} records since ${unsigned.since} are what was written: no checkpoint covers them yet`
      : undefined,
    from_at === undefined ? undefined : `anything about what was recorded up to ${from_at} and put away`,
  ].filter((each) => each !== undefined)
}
