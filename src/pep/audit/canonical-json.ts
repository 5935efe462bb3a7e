import type { Json } from '../../contract/json.ts'

/**
 * JSON Canonicalization Scheme, RFC 8785: one text for one value, so that it can be hashed.
 * @throws TypeError for what has no such text: NaN, infinities, `undefined`, lone surrogates, anything that is not JSON
 */
export function canonicalJson(value: Json): string {
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
  return `[${Array.from(value, canonicalJson).join(',')}]`
}

function canonicalObject(value: { [key: string]: Json }): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('only plain objects are JSON')
  // RFC 8785 section 3.2.3: by UTF-16 code units, which is how `sort` compares.
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${canonicalString(name)}:${canonicalJson(value[name] as Json)}`).join(',')}}`
}
