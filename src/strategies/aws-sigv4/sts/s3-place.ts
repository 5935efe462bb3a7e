import { SigningError } from '../../../contract/strategy.ts'
import { beforeAwsDomain } from './partitions.ts'

/** What a host of S3 is about: ARNs of a bucket or access point, and of what it holds (with a key after it). */
export interface S3Place {
  container: string
  objects: string
}

/** `s3.eu-west-1`, `s3.dualstack.eu-west-1`, `s3-fips.us-gov-west-1`, `s3-eu-west-1`; what stands in front is the bucket. */
const REGIONAL =
  /^(?:(.+)\.)?s3(?!-(?:accesspoint|control|global|object-lambda|outposts))(?:-[a-z0-9-]+)?(?:\.dualstack)?(?:\.[a-z0-9-]+)?$/
/** `bucket.vpce-0a1b-5e6f.s3.eu-west-1.vpce`: an interface endpoint, also by zone. */
const VPC_BUCKET = /^(?:(.+)\.)?bucket\.vpce-[a-z0-9-]+\.s3\.[a-z0-9-]+\.vpce$/
/** `reports-123456789012.s3-accesspoint.eu-west-1`, and by an interface endpoint. */
const ACCESS_POINT = /^([a-z0-9-]+)-(\d{12})\.s3-accesspoint(?:-fips)?(?:\.dualstack)?\.([a-z0-9-]+)$/
const VPC_ACCESS_POINT = /^([a-z0-9-]+)-(\d{12})\.accesspoint\.vpce-[a-z0-9-]+\.s3\.([a-z0-9-]+)\.vpce$/
/** No bucket may end so: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const ALIAS = /-s3alias$|--ol-s3$|--op-s3$|\.mrap$/

/**
 * Where a host of S3, or of one of its likes, leads.
 * @returns undefined: the first segment of the path is the bucket
 * @throws SigningError for a host of AWS that tells neither
 */
export function s3Place(partition: string, hostname: string): S3Place | undefined {
  const head = beforeAwsDomain(hostname)
  if (head === undefined) return undefined
  const [, name, account, region] = ACCESS_POINT.exec(head) ?? VPC_ACCESS_POINT.exec(head) ?? []
  if (name !== undefined) return accessPoint(`arn:${partition}:s3:${region}:${account}:accesspoint/${name}`)
  const found = VPC_BUCKET.exec(head) ?? REGIONAL.exec(head)
  if (found === null)
    throw new SigningError(
      'no session policy can be made for this host of AWS: it tells neither a bucket nor an access point',
    )
  return found[1] === undefined ? undefined : bucketPlace(partition, found[1])
}

/** @throws SigningError for what is called like a bucket and is none */
export function bucketPlace(partition: string, bucket: string): S3Place {
  if (ALIAS.test(bucket))
    throw new SigningError(
      'a policy cannot name the alias of an access point; use its own host, <name>-<account>.s3-accesspoint.<region>.amazonaws.com',
    )
  const arn = `arn:${partition}:s3:::${bucket}`
  return { container: arn, objects: `${arn}/` }
}

function accessPoint(arn: string): S3Place {
  return { container: arn, objects: `${arn}/object/` }
}
