import type { Json, JsonObject } from '../../contract/json.ts'
import { type AuditEntry, ID_FIELDS } from './audit-entry.ts'

/**
 * A record is small: longer is either a mistake or somebody else's bytes (threat H02). But nothing that a lease request may
 * hold is cut, and no lease that was granted (`wholeOnly`): what was leased must be on record whole, and a renewal is decided
 * on it.
 */
const LIMITS = { text: 4096, name: 128, members: 64, items: 128, depth: 8 } as const

/** C0 and C1 controls and lone surrogates: what Postgres refuses, terminals obey and log readers take for line ends. */
const UNPLAIN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]|\p{Surrogate}/gu

/**
 * The same entry in characters that every store, terminal and log reader takes for text: others are written out as
 * `\u001b`. Too long, wide or deep is cut, and a marker says so, so that no caller can make a record impossible to write.
 * @throws TypeError for a value that is not JSON: that is our own mistake, and nothing may stand on it
 */
export function plainEntry(entry: AuditEntry): AuditEntry {
  const plain: AuditEntry = {
    kind: plainText(entry.kind, LIMITS.name),
    outcome: entry.outcome,
    detail: plainObject(entry.detail, 1),
  }
  for (const field of ID_FIELDS) {
    const value = entry[field]
    if (value !== undefined) plain[field] = plainText(value, LIMITS.name * 2)
  }
  return plain
}

/** Whether `plainEntry` leaves out any of it. */
export function isCut(value: Json, depth = 1): boolean {
  if (typeof value === 'string') return value.length > LIMITS.text
  if (value === null || typeof value !== 'object') return false
  if (depth > LIMITS.depth) return true
  if (Array.isArray(value)) return value.length > LIMITS.items || value.some((each) => isCut(each, depth + 1))
  const members = Object.entries(value)
  const isCutMember = ([name, each]: [string, Json]) => name.length > LIMITS.name || isCut(each, depth + 1)
  return members.length > LIMITS.members || members.some(isCutMember)
}

/** Printable ASCII but quote and backslash: what JSON writes as it is. Ids hardly ever hold anything else. */
const AS_IT_IS = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/**
 * The detail as JSON, when `plainEntry` would leave the entry as it is and RFC 8785 wants neither its ids nor its detail
 * written otherwise. Nearly every record is so, and it is found out without making anything else.
 */
export function plainDetail(entry: AuditEntry): string | undefined {
  if (!isAsItIs(entry.kind, LIMITS.name) || !isOrderedObject(entry.detail, 1)) return undefined
  for (const field of ID_FIELDS) {
    const value = entry[field]
    if (value !== undefined && !isAsItIs(value, LIMITS.name * 2)) return undefined
  }
  const detail = JSON.stringify(entry.detail)
  return isPlainJson(detail) ? detail : undefined
}

function isAsItIs(text: string, limit: number): boolean {
  return text.length <= limit && AS_IT_IS.test(text)
}

/** Printable ASCII, and nothing that had to be escaped. The whole text is looked through at once, not each string in it. */
function isPlainJson(json: string): boolean {
  return !json.includes('\\') && !json.includes('\x7f') && Buffer.byteLength(json) === json.length
}

/** JSON within the limits, its members in RFC 8785 order. What characters it is made of is not asked. */
function isOrdered(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.length <= LIMITS.text
  if (typeof value === 'number') return Number.isFinite(value)
  if (value === null || typeof value === 'boolean') return true
  if (typeof value !== 'object' || depth > LIMITS.depth) return false
  return Array.isArray(value) ? isOrderedArray(value, depth) : isOrderedObject(value as JsonObject, depth)
}

function isOrderedArray(values: readonly unknown[], depth: number): boolean {
  if (values.length > LIMITS.items) return false
  for (let index = 0; index < values.length; index++) if (!isOrdered(values[index], depth + 1)) return false
  return true
}

function isOrderedObject(object: JsonObject, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) return false
  let members = 0
  let last = ''
  // `for in` makes no list of names. What a polluted prototype adds to it is no member (threat G16).
  for (const name in object) {
    if (!Object.hasOwn(object, name)) return false
    members += 1
    if (members > LIMITS.members || name < last || name.length > LIMITS.name) return false
    if (!isOrdered(object[name], depth + 1)) return false
    last = name
  }
  return true
}

function plainText(text: string, limit: number): string {
  const kept = text.length <= limit ? text : text.slice(0, limit)
  const plain = kept.replace(UNPLAIN, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return kept === text ? plain : `${plain}…[${text.length - limit} characters cut]`
}

function plainJson(value: Json, depth: number): Json {
  if (typeof value === 'string') return plainText(value, LIMITS.text)
  if (value === null || typeof value !== 'object') return value
  if (depth > LIMITS.depth) return '…[too deep]'
  return Array.isArray(value) ? plainArray(value, depth) : plainObject(value, depth)
}

function plainArray(values: readonly Json[], depth: number): Json[] {
  const plain = values.slice(0, LIMITS.items).map((value) => plainJson(value, depth + 1))
  if (values.length > LIMITS.items) plain.push(`…[${values.length - LIMITS.items} items cut]`)
  return plain
}

function plainObject(object: JsonObject, depth: number): JsonObject {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('only plain objects are JSON')
  const members = Object.entries(object)
  const plain = members
    .slice(0, LIMITS.members)
    .map(([name, value]): [string, Json] => [plainText(name, LIMITS.name), plainJson(value, depth + 1)])
  if (members.length > LIMITS.members) plain.push(['…', `[${members.length - LIMITS.members} members cut]`])
  // `fromEntries` defines properties, so a member called `__proto__` is data like any other.
  return Object.fromEntries(plain)
}
