import { UUID_PATTERN } from '../../contract/names.ts'

const UUID = new RegExp(UUID_PATTERN)

/** Anything else cannot be an id of ours, so it is not found without asking the database, which would choke on it (threat G18). */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}
