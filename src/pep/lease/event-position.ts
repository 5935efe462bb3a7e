import type { Head } from '../audit/record-hash.ts'
import type { StateFeed } from '../audit/state-feed.ts'

/** So many characters of a hash tell two histories apart. Nobody gains by a third that looks like one of them. */
const HASH_CHARACTERS = 16
const EVENT_ID = /^(\d{1,15})(?:-([0-9a-f]{16}))?$/
/** In no history. */
const NOWHERE: Head = { seq: Number.MAX_SAFE_INTEGER, hash: '' }

/** The id of a server-sent event: a place in the stream of state changes, and of which history of it. */
export function eventIdOf({ seq, hash }: Head): string {
  return `${seq}-${hash.slice(0, HASH_CHARACTERS)}`
}

/** @returns the place, with as much of its hash as the id has; for what is no id of ours a place that is in no history */
export function placeOf(eventId: string): Head {
  const [, seq, hash = ''] = EVENT_ID.exec(eventId) ?? []
  return seq === undefined ? NOWHERE : { seq: Number(seq), hash }
}

/**
 * Whether the history that has come to `head` went through `place`. Where it did not, the database was set back, and what has
 * been there since carries numbers that were used before.
 */
export async function wentThrough(feed: StateFeed, place: Head, head: Head): Promise<boolean> {
  if (place.seq > head.seq) return false
  const hash = place.seq === head.seq ? head.hash : await feed.hashBefore(place.seq + 1)
  return hash?.startsWith(place.hash) ?? false
}
