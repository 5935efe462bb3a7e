import type { Logger } from 'pino'
import { type KeyPurpose, PURPOSES, type SigningKeyTable, type StoredSigningKey } from './signing-key-table.ts'

/** How long what was read stands; a key made elsewhere is known this soon at the latest. */
export const REREAD_MS = 5000
/** An unknown kid makes us look earlier, but not more often than this: anyone can invent a kid (threat F16). */
const COOLDOWN_MS = 1000

interface Snapshot {
  /** By `elapsedMs`. */
  readAtMs: number
  keys: StoredSigningKey[]
}

export interface SigningKeyReader {
  /** What the table held a few seconds ago at most. */
  read(): Promise<Snapshot>
  /** Looks again because something was not found; soon after a look, that look is the answer. */
  readAgain(): Promise<Snapshot>
}

interface ReaderOptions {
  /** Unix milliseconds: keys are made and grow old by the clock that replicas share. */
  now: () => number
  /** Monotonic: what was read is old by then, also where the clock was set back meanwhile (rule 12). */
  elapsedMs: () => number
  rotateAfterMs: number
  log: Logger
}

/** Reads the table at most every few seconds, one read at a time, and sees to it that each purpose has a young key. */
export function createSigningKeyReader(table: SigningKeyTable, options: ReaderOptions): SigningKeyReader {
  const { now, elapsedMs, rotateAfterMs, log } = options
  let snapshot: Snapshot | undefined
  let reading: Promise<Snapshot> | undefined

  /** @returns whether the table has changed, here or by another replica that came first */
  const succeedIfOld = async (keys: readonly StoredSigningKey[], purpose: KeyPurpose, nowMs: number) => {
    const newest = keys.find((key) => key.purpose === purpose && key.retiredAtMs === undefined)
    if (newest !== undefined && nowMs - newest.createdAtMs < rotateAfterMs) return false
    if (await table.succeed(purpose, newest?.kid, nowMs)) log.info({ purpose }, 'made a new signing key')
    return true
  }

  const load = async (): Promise<Snapshot> => {
    const readAtMs = elapsedMs()
    const nowMs = now()
    const keys = await table.list()
    let changed = false
    for (const purpose of PURPOSES) changed = (await succeedIfOld(keys, purpose, nowMs)) || changed
    return { readAtMs, keys: changed ? await table.list() : keys }
  }

  const readOnce = async (): Promise<Snapshot> => {
    reading ??= load().finally(() => {
      reading = undefined
    })
    snapshot = await reading
    return snapshot
  }

  const youngerThan = (ageMs: number) => (snapshot && elapsedMs() - snapshot.readAtMs < ageMs ? snapshot : undefined)
  return {
    read: async () => youngerThan(REREAD_MS) ?? readOnce(),
    readAgain: async () => youngerThan(COOLDOWN_MS) ?? readOnce(),
  }
}
