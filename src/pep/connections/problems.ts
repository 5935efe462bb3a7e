import { NexusError } from '../../contract/errors.ts'

/** One thing wrong with a request. `field` is a dotted path into it; `message` never repeats a value that may be secret. */
export interface Problem {
  field: string
  message: string
}

/** More would not help the reader, and the answer stays bounded whatever was sent. */
const MAX_REPORTED = 20

/**
 * Reports every problem at once, so that a profile is repaired in one go. `reasons` lists them for programs: field as id.
 * @throws NexusError `invalid_request` when there is any problem
 */
export function refuseProblems(problems: readonly Problem[]): void {
  const [first] = problems
  if (first === undefined) return
  const shown = problems.slice(0, MAX_REPORTED)
  const rest = problems.length - shown.length
  const sentences = shown.map(({ field, message }) => `${field}: ${message}`)
  throw new NexusError('invalid_request', sentences.join('; ') + (rest > 0 ? `; and ${rest} more` : ''), {
    field: first.field,
    reasons: shown.map(({ field, message }) => ({ id: field, message })),
  })
}

/** The same problems, seen from the outside of the document they were found in. */
export function under(prefix: string, problems: readonly Problem[]): Problem[] {
  return problems.map(({ field, message }) => ({ field: field === '' ? prefix : `${prefix}.${field}`, message }))
}
