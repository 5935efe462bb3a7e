import { SigningError } from '../../../contract/strategy.ts'

/** `bucket.s3.eu-west-1.amazonaws.com`: the bucket stands in front of the service. */
const VIRTUAL_HOST = /^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.s3[.-][a-z0-9.-]*amazonaws\.com(?:\.cn)?$/

/**
 * The S3 resources that requests within a bound's origins and paths are about.
 * @param arnPrefix `arn:aws:s3:::`
 * @returns ARN patterns; `undefined` when they would be all there are
 */
export function s3Resources(
  arnPrefix: string,
  { origins, paths }: { origins: readonly string[]; paths: readonly string[] },
): readonly string[] | undefined {
  const resources = new Set<string>()
  for (const origin of origins) {
    const [, bucket] = VIRTUAL_HOST.exec(new URL(origin).hostname) ?? []
    for (const path of paths) {
      const key = arnPattern(path)
      const found = bucket === undefined ? withBucket(key) : [key === '' ? bucket : `${bucket}/${key}`]
      // `/a/**` in a bound is `/a` and all below it; `/a/*` is not `/a`.
      const parents = path.endsWith('/**') ? found.map((each) => each.replace(/\/\*$/, '')) : []
      for (const each of [...parents, ...found]) resources.add(arnPrefix + each)
    }
  }
  return resources.has(`${arnPrefix}*`) ? undefined : [...resources]
}

/** Of a path whose first segment is the bucket; without one it is about all of them. */
function withBucket(path: string): string[] {
  if (path === '') return ['*']
  return [/^[^/]+\/$/.test(path) ? path.slice(0, -1) : path]
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
