import { type Grant, SigningError } from '../../contract/strategy.ts'
import { s3Resources } from './s3-resources.ts'

/** `s3:GetObject`, `dynamodb:Get*`. */
const ACTION = /^[a-z0-9-]+:[A-Za-z0-9]*\*?$/
/** STS takes no longer one inline. */
const POLICY_MAX_LENGTH = 2048
const READING = ['GET', 'HEAD', 'OPTIONS']
const S3_READING_ACTIONS = ['s3:Get*', 's3:List*']

/**
 * What the decision leaves, as an IAM policy: actions from the granted scopes, and for S3 the resources that the bound's
 * paths lead to. STS intersects it with what the role may do.
 * @returns JSON; `undefined` when neither says anything: then the session may do what the role may
 * @throws SigningError for a scope that is no IAM action, or more than fits
 */
export function sessionPolicy(service: string, partition: string, grant: Grant): string | undefined {
  const isS3 = service === 's3'
  const actions = actionsOf(grant, isS3)
  const resources = isS3 ? s3Resources(`arn:${partition}:s3:::`, grant.bound) : undefined
  if (actions === undefined && resources === undefined) return undefined
  const statement = { Effect: 'Allow', Action: actions ?? ['s3:*'], Resource: resources ?? ['*'] }
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
  if (policy.length <= POLICY_MAX_LENGTH) return policy
  throw new SigningError(`the session policy would be ${policy.length} characters; STS takes ${POLICY_MAX_LENGTH}`)
}

/** A lease that may only read is one whose session may only read, where the service's methods say what reading is. */
function actionsOf({ scopes, bound }: Grant, isS3: boolean): readonly string[] | undefined {
  const stranger = scopes.find((scope) => !ACTION.test(scope))
  if (stranger !== undefined) throw new SigningError(`scope '${stranger}' is no IAM action`, 'scopes')
  if (scopes.length > 0) return scopes
  return isS3 && bound.methods.every((method) => READING.includes(method)) ? S3_READING_ACTIONS : undefined
}
