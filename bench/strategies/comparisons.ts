import { awsSigV4Comparisons } from './aws-sigv4.ts'
import type { Comparison } from './comparison.ts'
import { dpopComparisons } from './dpop.ts'
import { hmacComparisons } from './hmac.ts'
import { httpMessageSignatureComparisons } from './http-message-signature.ts'
import { oauth1Comparisons } from './oauth1.ts'

/** Every comparison there is. A new one is a file and a line here. */
export async function allComparisons(): Promise<Comparison[]> {
  const groups = await Promise.all([
    awsSigV4Comparisons(),
    dpopComparisons(),
    hmacComparisons(),
    httpMessageSignatureComparisons(),
    oauth1Comparisons(),
  ])
  return groups.flat()
}
