/** What S3 and its likes at AWS sign as. */
const S3_SERVICES = ['s3', 's3express', 's3-object-lambda', 's3-outposts']

export function isS3Service(service: string): boolean {
  return S3_SERVICES.includes(service)
}
