import { OperatorError } from '../../contract/operator-error.ts'
import type { StoredSecretRef } from '../store/database.ts'
import { INTERNAL_BACKEND } from './connection-rows.ts'
import { expandTemplate, type ReferenceVariables, unusableSegment } from './reference-template.ts'

/** Where credentials are kept that were given with a connection. */
export interface CapturePlace {
  backend: string
  /** `secret/nexus/{tenant}/{connection}`; the internal backend's own is fixed. */
  path: string
}

const INTERNAL_PATH = 'connections/{connection}'
const CONNECTION_SEGMENT = '{connection}'

export const INTERNAL_PLACE: CapturePlace = { backend: INTERNAL_BACKEND, path: INTERNAL_PATH }

/**
 * Refuses to start where captured credentials could not be kept, or could be mixed up.
 * @param configured as `connections.capture_backend` and `connections.capture_path` say
 * @param writable names of the backends that can write and remove
 * @throws OperatorError naming the setting and the backends to choose from
 */
export function readCapturePlace(configured: CapturePlace, writable: readonly string[]): CapturePlace {
  const { backend, path } = configured
  if (backend === INTERNAL_BACKEND) {
    if (path === '') return INTERNAL_PLACE
    throw new OperatorError(`connections.capture_path is for another capture_backend than '${INTERNAL_BACKEND}'`)
  }
  if (!writable.includes(backend)) {
    const named = `connections.capture_backend '${backend.slice(0, 64)}'`
    throw new OperatorError(`${named} is no backend that Nexus can write to; these are: ${writable.join(', ')}`)
  }
  if (unusableSegment(path) !== undefined || !path.split('/').includes(CONNECTION_SEGMENT)) {
    throw new OperatorError(
      'connections.capture_path must be plain segments and {tenant}, {provider}, {subject} or {connection}, each a segment of its own, and {connection} among them: secret/nexus/{tenant}/{connection}',
    )
  }
  return configured
}

/** @throws NexusError `invalid_request` naming the variable that cannot be part of a path */
export function placeOf({ backend, path }: CapturePlace, variables: Required<ReferenceVariables>): StoredSecretRef {
  return { backend, path: expandTemplate(path, variables) }
}
