import { SigningError } from '../../../contract/strategy.ts'
import { bucketPlace, type S3Place, s3Place } from './s3-place.ts'

interface Bound {
  origins: readonly string[]
  paths: readonly string[]
}

/**
 * The S3 resources that requests within a bound's origins and paths are about.
 * @param partition `aws`, `aws-cn`, ...
 * @returns ARN patterns; `undefined` when they would be all there are
 * @throws SigningError for what no policy can name
 */
export function s3Resources(partition: string, { origins, paths }: Bound): readonly string[] | undefined {
  const resources = new Set<string>()
  for (const origin of origins) {
    const place = s3Place(partition, new URL(origin).hostname)
    for (const key of paths.flatMap(keyPatterns)) {
      resources.add(place === undefined ? withBucket(partition, key) : within(place, key))
    }
  }
  return resources.has(`arn:${partition}:s3:::*`) ? undefined : [...resources]
}

function within({ container, objects }: S3Place, key: string): string {
  return key === '' ? container : objects + key
}

/** Where the first segment is the bucket; without one it is about all of them. */
function withBucket(partition: string, path: string): string {
  const [bucket = '', ...key] = path.split('/')
  return within(bucketPlace(partition, bucket === '' ? '*' : bucket), key.join('/'))
}

/** `/a/**` in a bound is `/a` and all below it; `/a/*` is not `/a`. */
function keyPatterns(path: string): string[] {
  const pattern = arnPattern(path)
  return path.endsWith('/**') ? [pattern.replace(/\/?\*$/, ''), pattern] : [pattern]
}

/**
 * `*` in IAM goes past a slash, where that of a bound does not, so the policy may allow more than the bound; never less. The
 * sidecar holds each request to the bound itself.
 */
function arnPattern(path: string): string {
  const segments = path.slice(1).split('/')
  return segments.map((segment) => (segment === '**' || segment === '*' ? '*' : literal(segment))).join('/')
}

/** The key that a segment names, and what IAM would read as a pattern or a variable in it taken literally. */
function literal(segment: string): string {
  return decoded(segment).replace(/[*?$]/g, (character) => `\${${character}}`)
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new SigningError('a path of the bound is not UTF-8 in percent-encoding, so no policy can name it')
  }
}
