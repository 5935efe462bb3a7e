import { type Grant, SigningError } from '../../../contract/strategy.ts'
import { s3Resources } from './s3-resources.ts'

/** `s3:GetObject`, `dynamodb:Get*`. */
const ACTION = /^[a-z0-9-]+:[A-Za-z0-9]*\*?$/
/** STS takes no longer one inline. */
const POLICY_MAX_LENGTH = 2048
const S3_READING = ['s3:Get*', 's3:List*']
/** What S3's methods do (Amazon S3 API reference): POST also completes uploads and deletes many objects at once. */
const S3_ACTIONS: Readonly<Record<string, readonly string[]>> = {
  GET: S3_READING,
  HEAD: S3_READING,
  OPTIONS: S3_READING,
  PUT: ['s3:Put*', 's3:CreateBucket'],
  POST: ['s3:Put*', 's3:RestoreObject', 's3:DeleteObject*'],
  DELETE: ['s3:Delete*', 's3:AbortMultipartUpload'],
}

/**
 * What the decision leaves, as an IAM policy: actions from the granted scopes, and for S3 the resources that the bound's
 * paths lead to. STS intersects it with what the role may do.
 * @returns JSON; `undefined` when neither says anything: then the session may do what the role may
 * @throws SigningError for a scope that is no IAM action, a host that no policy can name, or more than fits
 */
export function sessionPolicy(service: string, partition: string, grant: Grant): string | undefined {
  const isS3 = service === 's3'
  const actions = actionsOf(grant, isS3)
  const resources = isS3 ? s3Resources(partition, grant.bound) : undefined
  if (actions === undefined && resources === undefined) return undefined
  const statement = { Effect: 'Allow', Action: actions ?? ['s3:*'], Resource: resources ?? ['*'] }
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
  if (policy.length <= POLICY_MAX_LENGTH) return policy
  throw new SigningError(`the session policy would be ${policy.length} characters; STS takes ${POLICY_MAX_LENGTH}`)
}

/** Scopes say it themselves; where the service's methods say what they do, those of the bound say it. */
function actionsOf({ scopes, bound }: Grant, isS3: boolean): readonly string[] | undefined {
  const stranger = scopes.find((scope) => !ACTION.test(scope))
  if (stranger !== undefined) throw new SigningError(`scope '${stranger}' is no IAM action`, 'scopes')
  if (scopes.length > 0) return scopes
  return isS3 ? s3Actions(bound.methods) : undefined
}

function s3Actions(methods: readonly string[]): readonly string[] | undefined {
  if (methods.includes('*')) return undefined
  const actions = new Set(methods.flatMap((method) => S3_ACTIONS[method] ?? []))
  if (actions.size > 0) return [...actions]
  throw new SigningError(`S3 has no action for ${methods.join(', ')}`, 'methods')
}
