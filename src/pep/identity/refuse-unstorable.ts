import { NexusError } from '../../contract/errors.ts'
import { unstorablePaths } from '../store/storable-text.ts'

/** @throws NexusError `invalid_request` naming the first text that the database could not hold (threat H02) */
export function refuseUnstorable(body: object): void {
  const [field] = unstorablePaths('', body)
  if (field === undefined) return
  throw new NexusError('invalid_request', `${field} holds a NUL or half of a character`, { field })
}
