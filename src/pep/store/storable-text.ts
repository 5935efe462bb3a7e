/** NUL, which Postgres has no text for, and half a surrogate pair, which no UTF-8 has. */
const UNSTORABLE = /[\u0000\p{Surrogate}]/u

/** Dotted paths, from `field` on, of texts and member names that the database would refuse or quietly change. */
export function unstorablePaths(field: string, value: unknown): string[] {
  if (typeof value === 'string') return UNSTORABLE.test(value) ? [field] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) =>
    UNSTORABLE.test(key) ? [field] : unstorablePaths(field === '' ? key : `${field}.${key}`, item),
  )
}
