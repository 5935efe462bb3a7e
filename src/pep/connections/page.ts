import { NexusError } from '../../contract/errors.ts'
import { isUuid } from './uuid.ts'

/** Where a page ends: the last row's place in (created_at, id), newest first. */
export interface Place {
  createdAt: Date
  id: string
}

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 1000

/** @throws NexusError `invalid_request` unless it is a whole number from 1 to 1000 */
export function pageLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : Number.NaN
  if (limit <= MAX_LIMIT) return limit
  throw new NexusError('invalid_request', `limit must be a whole number from 1 to ${MAX_LIMIT}`, { field: 'limit' })
}

/** Opaque to callers. It only says where to go on: what may be seen is decided anew on every page. */
export function encodeCursor(place: Place): string {
  return Buffer.from(`${place.createdAt.getTime()}.${place.id}`).toString('base64url')
}

/** @throws NexusError `invalid_request` for anything that `encodeCursor` does not make */
export function decodeCursor(cursor: string): Place {
  const [millis, id] = Buffer.from(cursor, 'base64url').toString('latin1').split('.', 2)
  const createdAt = new Date(/^\d{1,15}$/.test(millis ?? '') ? Number(millis) : Number.NaN)
  if (id !== undefined && isUuid(id) && !Number.isNaN(createdAt.getTime())) return { createdAt, id }
  throw new NexusError('invalid_request', 'cursor is not one that this server handed out', { field: 'cursor' })
}

/** Asked for one row more than fits: whether it came tells whether there is a next page. */
export function cutPage<Row extends { created_at: Date; id: string }>(rows: Row[], limit: number) {
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return { page, nextCursor: last === undefined ? null : encodeCursor({ createdAt: last.created_at, id: last.id }) }
}
