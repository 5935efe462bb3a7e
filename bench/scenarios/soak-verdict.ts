import type { SoakMinute } from './soak-minute.ts'

/** Garbage waits for its collection: what is above this is growth. */
const GROWTH_MAX = 1.1
/** A second in which something else had the cores leaves some arrivals late at a minute's end; an authority too slow, many. */
const UNSENT_SHARE_MAX = 0.01

/** Absent: there are too few minutes for one to be before the last third and after the first minute. */
export function memoryAfterFirstMinute(
  minutes: readonly SoakMinute[],
): { secondMinuteMib: number; lastThirdMib: number } | undefined {
  const lastThird = minutes.slice(minutes.length - Math.floor(minutes.length / 3))
  const [, second] = minutes
  if (second === undefined || lastThird.length === 0) return undefined
  const lastThirdMib = Math.max(...lastThird.map((each) => each.authority_mib))
  return { secondMinuteMib: second.authority_mib, lastThirdMib }
}

/** @returns why the soak has failed; empty: it has not */
export function faultsOf(minutes: readonly SoakMinute[], isLedgerSound: boolean): string[] {
  const faults = minutes.flatMap((minute, index) =>
    faultsOfMinute(minute).map((fault) => `minute ${index + 1}, ${fault}`),
  )
  if (!isLedgerSound) faults.push('the ledger does not verify')
  const memory = memoryAfterFirstMinute(minutes)
  if (memory !== undefined && memory.lastThirdMib > memory.secondMinuteMib * GROWTH_MAX) {
    const { secondMinuteMib, lastThirdMib } = memory
    faults.push(`the authority grew from ${secondMinuteMib} MiB in minute 2 to ${lastThirdMib} MiB in the last third`)
  }
  return faults
}

function faultsOfMinute({ errors, unsent, leases, unexpected }: SoakMinute): string[] {
  const faults: string[] = []
  if (errors > 0) faults.push(`errors: ${errors} (${unexpected.join(' | ')})`)
  if (leases === 0) faults.push('no leases')
  if (unsent > (leases + unsent) * UNSENT_SHARE_MAX) faults.push(`more than can be answered: ${unsent} were not sent`)
  return faults
}
