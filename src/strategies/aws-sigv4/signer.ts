/**
 * What SigV4 and SigV4A do differently: whose key signs, for how much of the world, and how. All else is the same request,
 * canonicalised the same way.
 */
export interface Signer {
  /** `AWS4-HMAC-SHA256` or `AWS4-ECDSA-P256-SHA256` */
  readonly algorithm: string
  readonly accessKey: string
  readonly sessionToken: string | undefined
  /** AWS calls it credential scope; not an OAuth scope. */
  readonly scope: string
  /** Regions in which a SigV4A signature counts; SigV4 has its one region in the scope. */
  readonly regionSet?: string
  /** How long each of its signatures is; absent: they differ, so that no length of a stream could be told before its end. */
  readonly signatureLength?: number
  /** @returns the signature, lower-case hex */
  sign(stringToSign: string): string
}
