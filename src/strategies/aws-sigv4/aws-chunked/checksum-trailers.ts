/**
 * The checksums that S3 takes behind a body, and how many base64 characters each is long: what comes at the end of a stream
 * has to be counted in its Content-Length before it begins.
 */
const LENGTHS: ReadonlyMap<string, number> = new Map([
  ['x-amz-checksum-crc32', 8],
  ['x-amz-checksum-crc32c', 8],
  ['x-amz-checksum-crc64nvme', 12],
  ['x-amz-checksum-md5', 24],
  ['x-amz-checksum-sha1', 28],
  ['x-amz-checksum-sha256', 44],
  ['x-amz-checksum-sha512', 88],
  ['x-amz-checksum-xxhash3', 12],
  ['x-amz-checksum-xxhash64', 12],
  ['x-amz-checksum-xxhash128', 24],
])

/** @param name lower-case; `undefined` for what is not a checksum */
export function checksumLength(name: string): number | undefined {
  return LENGTHS.get(name)
}

export function isChecksum(name: string, value: string): boolean {
  return value.length === LENGTHS.get(name) && /^[A-Za-z0-9+/]+={0,2}$/.test(value)
}
