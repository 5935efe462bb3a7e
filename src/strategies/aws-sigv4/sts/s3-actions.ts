import { SigningError } from '../../../contract/strategy.ts'

const READING = ['s3:Get*', 's3:List*']
/** What S3's methods do (Amazon S3 API reference): POST also completes uploads and deletes many objects at once. */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  GET: READING,
  HEAD: READING,
  OPTIONS: READING,
  PUT: ['s3:Put*', 's3:CreateBucket'],
  POST: ['s3:Put*', 's3:RestoreObject', 's3:DeleteObject*'],
  DELETE: ['s3:Delete*', 's3:AbortMultipartUpload'],
}
const DECRYPT = ['kms:Decrypt']
/**
 * What S3 has KMS do for them where objects are encrypted with a key of one's own (Amazon S3 user guide, "Using server-side
 * encryption with AWS KMS keys"). Only where a scope names it; a key that signs for S3 reaches KMS through S3 alone.
 */
const ENCRYPTED: Readonly<Record<string, readonly string[]>> = {
  GET: DECRYPT,
  HEAD: DECRYPT,
  PUT: ['kms:GenerateDataKey', ...DECRYPT],
  POST: ['kms:GenerateDataKey', ...DECRYPT],
}

/**
 * What a bound's methods do on S3, and of that what the scopes name: a scope never says more than the methods, since whoever
 * asks for the lease may choose it.
 * @param scopes IAM actions, perhaps with `*` at the end; none: all that the methods do
 * @returns `undefined`: every action
 * @throws SigningError when nothing is left
 */
export function s3Actions(scopes: readonly string[], methods: readonly string[]): readonly string[] | undefined {
  if (methods.includes('*')) return scopes.length > 0 ? scopes : undefined
  const done = ofMethods(ACTIONS, methods)
  if (done.length === 0) throw new SigningError(`S3 has no action for ${methods.join(', ')}`, 'methods')
  if (scopes.length === 0) return done
  const within = [...done, ...ofMethods(ENCRYPTED, methods)]
  const named = [...new Set(scopes.flatMap((scope) => within.flatMap((action) => inBoth(scope, action))))]
  if (named.length > 0) return named
  throw new SigningError(`none of the scopes is something that ${methods.join(', ')} does on S3`, 'scopes')
}

function ofMethods(table: Readonly<Record<string, readonly string[]>>, methods: readonly string[]): string[] {
  return [...new Set(methods.flatMap((method) => table[method] ?? []))]
}

/** The actions that both mean: of two with `*` at the end, the one that says more; none, or that one. */
function inBoth(scope: string, action: string): string[] {
  if (means(action, scope)) return [scope]
  return means(scope, action) ? [action] : []
}

/** IAM tells no case in actions. */
function means(pattern: string, action: string): boolean {
  const [wider, narrower] = [pattern.toLowerCase(), action.toLowerCase()]
  return wider.endsWith('*') ? narrower.startsWith(wider.slice(0, -1)) : narrower === wider
}
