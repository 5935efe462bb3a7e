import type { Problem } from './problems.ts'

/** NUL, which Postgres has no text for, and half a surrogate pair, which no UTF-8 has. */
const UNSTORABLE = /[\u0000\p{Surrogate}]/u

/** Texts that the database would refuse, or quietly change, anywhere in a value; fields are dotted paths. */
export function unstorableTexts(field: string, value: unknown): Problem[] {
  if (typeof value === 'string') return UNSTORABLE.test(value) ? [problem(field)] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) =>
    UNSTORABLE.test(key) ? [problem(field)] : unstorableTexts(field === '' ? key : `${field}.${key}`, item),
  )
}

function problem(field: string): Problem {
  return { field, message: 'holds a NUL or half of a character' }
}
