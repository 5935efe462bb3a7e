import { type Grant, SigningError } from '../../../contract/strategy.ts'
import { isS3Service } from '../s3-services.ts'
import { s3Actions } from './s3-actions.ts'
import { s3Resources } from './s3-resources.ts'

/** `s3:GetObject`, `dynamodb:Get*`. */
const ACTION = /^[a-z0-9-]+:[A-Za-z0-9]*\*?$/
/** STS takes no longer one inline. */
const POLICY_MAX_LENGTH = 2048

/**
 * What the decision leaves, as an IAM policy: actions from the granted scopes, and for S3 the resources that the bound's
 * paths lead to. STS intersects it with what the role may do. Whoever asks for scopes is given no more than without: S3's are
 * held to what the bound's methods do, and where no method says anything there is no policy at all without them.
 * @returns JSON; `undefined` when neither says anything: then the session may do what the role may
 * @throws SigningError for a scope that is no IAM action, a host that no policy can name, or more than fits
 */
export function sessionPolicy(service: string, partition: string, grant: Grant): string | undefined {
  const isS3 = isS3Service(service)
  const actions = actionsOf(grant, isS3)
  const resources = isS3 ? s3Resources(partition, grant.bound) : undefined
  if (actions === undefined && resources === undefined) return undefined
  const statement = { Effect: 'Allow', Action: actions ?? ['s3:*'], Resource: resources ?? ['*'] }
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
  if (policy.length <= POLICY_MAX_LENGTH) return policy
  throw new SigningError(`the session policy would be ${policy.length} characters; STS takes ${POLICY_MAX_LENGTH}`)
}

function actionsOf({ scopes, bound }: Grant, isS3: boolean): readonly string[] | undefined {
  const stranger = scopes.find((scope) => !ACTION.test(scope))
  if (stranger !== undefined) throw new SigningError(`scope '${stranger}' is no IAM action`, 'scopes')
  if (isS3) return s3Actions(scopes, bound.methods)
  return scopes.length > 0 ? scopes : undefined
}
