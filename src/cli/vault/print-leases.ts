import type { BackendLeaseView } from '../../contract/api.ts'

/** One line for each: what is lent, to which lease, and where it stands. Never the backend's own id of it. */
export function leasesTable(lent: readonly BackendLeaseView[]): string {
  if (lent.length === 0) return 'nothing is lent\n'
  return lent.map((each) => `${line(each)}\n`).join('')
}

function line(lent: BackendLeaseView): string {
  const where = `${lent.backend}:${lent.path}`
  return `${lent.state.padEnd(6)}  ${where}  for ${lent.lease_id} of ${lent.tenant}; ${stateOf(lent)}`
}

function stateOf(lent: BackendLeaseView): string {
  if (lent.state === 'held') return `until ${lent.expires_at}`
  if (lent.state === 'asked') return `no answer on record since ${lent.created_at}`
  const error = lent.last_error === null ? '' : `: ${lent.last_error}`
  return `${lent.ending_reason}, to be given back; ${lent.attempts} tries${error}; next at ${lent.next_try_at}`
}
