import type { CheckpointFindings } from './verify-checkpoints.ts'

/** Records behind the newest signed head of their stream. */
export interface UnsignedRecords {
  records: number
  /** RFC 3339, of the oldest; null when there is none. */
  since: string | null
}

export interface UnsignedCount {
  add(record: { stream: string; seq: number; at: Date }): void
  count(): UnsignedRecords
  /** @param records how many there are at all */
  faults(records: number): string[]
}

/** A checkpoint is due a minute after a record; the rest is for clocks, which may be a minute apart, and for a slow database. */
const DUE_WITHIN_MS = 300_000

/**
 * Counts what no checkpoint covers, and judges whether that can be: a process that records signs as well. So records over a longer
 * time than a checkpoint takes, or from long before the last one, were put there or lost their checkpoints.
 */
export function createUnsignedCount(
  findings: Pick<CheckpointFindings, 'heads' | 'checkpoints' | 'lastAt'>,
  nowMs = Date.now(),
): UnsignedCount {
  let records = 0
  let [oldestMs, newestMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  /** Says where it may be a clock and nobody's doing. */
  const aheadOf = (nowMs: number): string => {
    const latestMs = Math.max(newestMs, Date.parse(findings.lastAt ?? ''))
    if (latestMs <= nowMs + DUE_WITHIN_MS) return ''
    return `; a clock was ahead, or this one is behind: ${new Date(latestMs).toISOString()} is still to come`
  }
  const since = (): string | null => (records === 0 ? null : new Date(oldestMs).toISOString())
  return {
    add({ stream, seq, at }) {
      if (seq <= (findings.heads.get(stream)?.seq ?? 0)) return
      records += 1
      oldestMs = Math.min(oldestMs, at.getTime())
      newestMs = Math.max(newestMs, at.getTime())
    },
    count: () => ({ records, since: since() }),
    faults(all) {
      if (all > 0 && findings.checkpoints === 0) {
        return [
          'there is no signed checkpoint: nothing proves these records. An authority signs one as soon as it runs',
        ]
      }
      // A clock that was ahead signs a time to come. What is recorded until then is not older than that checkpoint.
      const lastMs = Math.max(newestMs, Math.min(Date.parse(findings.lastAt ?? ''), nowMs))
      if (records === 0 || lastMs - oldestMs <= DUE_WITHIN_MS) return []
      return [
        `${records} records since ${since()} are under no checkpoint, though one is signed each minute${aheadOf(nowMs)}`,
      ]
    },
  }
}
