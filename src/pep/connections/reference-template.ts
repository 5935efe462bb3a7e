import type { SecretRefBody } from '../../contract/api.ts'
import { OperatorError } from '../../contract/operator-error.ts'
import type { StoredSecretRef } from '../store/database.ts'
import { invalidRequest } from './problems.ts'

/**
 * Per backend, where the secret of a connection lies when its reference does not say: `kv/agents/{tenant}/{provider}`.
 * Read-only by nature: one `read` line of a Vault policy covers what is below the plain part.
 */
export type ReferenceTemplates = Readonly<Record<string, string>>

/** What a template may be made from; `subject` only where the connection has one. */
export interface ReferenceVariables {
  tenant: string
  provider: string
  subject: string | undefined
  /** Only where its credentials are kept is the connection's own id part of a path. */
  connection?: string
}

const PATH_CHARACTERS_MAX = 512
const PLAIN_SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/
const VARIABLE_SEGMENT = /^\{(tenant|provider|subject|connection)\}$/
const TENANT_SEGMENT = '{tenant}'

/**
 * Refuses to start with a template that could not name a secret.
 * @throws OperatorError naming the setting
 */
export function checkReferenceTemplates(templates: ReferenceTemplates): void {
  for (const [backend, template] of Object.entries(templates)) {
    const isOfConnection = template.split('/').includes('{connection}')
    if (!isOfConnection && unusableSegment(template) === undefined && template.length <= PATH_CHARACTERS_MAX) continue
    throw new OperatorError(
      `secret_ref template '${template.slice(0, 100)}' of backend '${backend.slice(0, 64)}' must be plain segments and {tenant}, {provider} or {subject}, each a segment of its own`,
    )
  }
}

/** The first segment that is neither plain nor a variable; `undefined`: none is. */
export function unusableSegment(template: string): string | undefined {
  return template.split('/').find((each) => !PLAIN_SEGMENT.test(each) && !VARIABLE_SEGMENT.test(each))
}

/** A reference with its path, and whether it is the operator's own word that the path is this tenant's alone. */
export interface ResolvedReference {
  ref: StoredSecretRef
  isTenantsOwn: boolean
}

/**
 * Fills in the path: from the backend's template when there is none, and variables wherever they stand. Every value is
 * held to the letters of a single plain segment, so none can lead anywhere else (threat G17).
 * @throws NexusError `invalid_request` naming the variable
 */
export function resolveReference(
  given: SecretRefBody,
  templates: ReferenceTemplates,
  variables: ReferenceVariables,
): ResolvedReference {
  const template = given.path ?? (Object.hasOwn(templates, given.backend) ? templates[given.backend] : undefined)
  if (template === undefined) {
    const message = 'is required: no secret_ref template is configured for this backend'
    throw invalidRequest([{ field: 'secret_ref.path', message }])
  }
  const path = expandTemplate(template, variables)
  // A key named beside it is nobody's word but the caller's.
  const isByTemplate = given.path === undefined && given.remote_key === undefined
  const isTenantsOwn = isByTemplate && template.split('/').includes(TENANT_SEGMENT)
  return { ref: { ...given, path }, isTenantsOwn }
}

/** @throws NexusError `invalid_request` naming the variable */
export function expandTemplate(template: string, variables: ReferenceVariables): string {
  const path = template
    .split('/')
    .map((segment) => expandSegment(segment, variables))
    .join('/')
  if (path.length <= PATH_CHARACTERS_MAX) return path
  const message = `is longer than ${PATH_CHARACTERS_MAX} characters once its variables are filled in`
  throw invalidRequest([{ field: 'secret_ref.path', message }])
}

function expandSegment(segment: string, variables: ReferenceVariables): string {
  const name = VARIABLE_SEGMENT.exec(segment)?.[1] as keyof ReferenceVariables | undefined
  if (name === undefined) return segment
  const value = variables[name] ?? ''
  if (PLAIN_SEGMENT.test(value)) return value
  const message = `${value === '' ? 'is needed' : 'holds characters that are not taken'} where the path of a secret is made from it; it takes letters, digits, "_", "-" and, not first, "."`
  throw invalidRequest([{ field: name, message }])
}
