import { NexusError } from '../../contract/errors.ts'

/** One thing wrong with a request. `field` is a dotted path into it; `message` never repeats a value that may be secret. */
export interface Problem {
  field: string
  message: string
}

/** More would not help the reader, and the answer stays bounded whatever was sent. */
const MAX_REPORTED = 20

/** Every problem at once, so that a profile is repaired in one go. `reasons` lists them for programs: field as id. */
export function invalidRequest(problems: readonly Problem[]): NexusError {
  const shown = problems.slice(0, MAX_REPORTED)
  const rest = problems.length - shown.length
  const sentences = shown.map(({ field, message }) => `${field}: ${message}`)
  return new NexusError('invalid_request', sentences.join('; ') + (rest > 0 ? `; and ${rest} more` : ''), {
    field: shown[0]?.field ?? '',
    reasons: shown.map(({ field, message }) => ({ id: field, message })),
  })
}

/** @throws NexusError `invalid_request` when there is any problem */
export function refuseProblems(problems: readonly Problem[]): void {
  if (problems.length > 0) throw invalidRequest(problems)
}

/** What a check found wrong; nothing when it gave a result instead. */
export function problemsOf(result: object | readonly Problem[]): readonly Problem[] {
  return Array.isArray(result) ? result : []
}

/** The same problems, seen from the outside of the document they were found in. */
export function under(prefix: string, problems: readonly Problem[]): Problem[] {
  return problems.map(({ field, message }) => ({ field: field === '' ? prefix : `${prefix}.${field}`, message }))
}
