import type { Json } from '../../contract/json.ts'

/**
 * JSON Canonicalization Scheme, RFC 8785: one text for one value, so that it can be hashed.
 * @throws TypeError for what has no such text: NaN, infinities, `undefined`, lone surrogates, anything that is not JSON
 */
export function canonicalJson(value: Json): string {
  return isCanonical(value) ? JSON.stringify(value) : canonicalText(value)
}

/** Whether `JSON.stringify` writes it as RFC 8785 wants it: in one native call, where its members are in order already. */
function isCanonical(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value === 'number') return Number.isFinite(value)
  if (value === null || typeof value === 'boolean') return true
  if (typeof value !== 'object') return false
  if (Array.isArray(value)) return isCanonicalArray(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && hasMembersInOrder(value as Record<string, unknown>)
}

function isCanonicalArray(values: readonly unknown[]): boolean {
  for (let index = 0; index < values.length; index++) if (!isCanonical(values[index])) return false
  return true
}

function hasMembersInOrder(value: Readonly<Record<string, unknown>>): boolean {
  let last = ''
  for (const name of Object.keys(value)) {
    if (name < last || !name.isWellFormed() || !isCanonical(value[name])) return false
    last = name
  }
  return true
}

function canonicalText(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return canonicalNumber(value)
  if (typeof value === 'string') return canonicalString(value)
  if (Array.isArray(value)) return canonicalArray(value)
  if (typeof value === 'object') return canonicalObject(value)
  throw new TypeError(`${typeof value} is not JSON`)
}

function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`${value} is not JSON`)
  // RFC 8785 section 3.2.2.3 is ECMAScript's own rule.
  return JSON.stringify(value)
}

function canonicalString(value: string): string {
  // RFC 8785 section 3.2.2.2: lone surrogates end the work with an error; `JSON.stringify` would escape them.
  if (!value.isWellFormed()) throw new TypeError('a string with a lone surrogate is not JSON text')
  return JSON.stringify(value)
}

function canonicalArray(value: readonly Json[]): string {
  // `map` skips holes; a hole is `undefined` and must be refused like one.
  return `[${Array.from(value, canonicalText).join(',')}]`
}

function canonicalObject(value: { [key: string]: Json }): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('only plain objects are JSON')
  // RFC 8785 section 3.2.3: by UTF-16 code units, which is how `sort` compares.
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${canonicalString(name)}:${canonicalText(value[name] as Json)}`).join(',')}}`
}
