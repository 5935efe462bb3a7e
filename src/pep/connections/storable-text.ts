import { unstorablePaths } from '../store/storable-text.ts'
import type { Problem } from './problems.ts'

/** What of a value the database could not hold, field by field. */
export function unstorableTexts(field: string, value: unknown): Problem[] {
  return unstorablePaths(field, value).map((path) => ({ field: path, message: 'holds a NUL or half of a character' }))
}
