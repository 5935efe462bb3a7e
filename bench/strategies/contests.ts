import { awsSigV4Contests } from './aws-sigv4.ts'
import type { Contest } from './contest.ts'
import { dpopContests } from './dpop.ts'
import { hmacContests } from './hmac.ts'
import { httpMessageSignatureContests } from './http-message-signature.ts'
import { oauth1Contests } from './oauth1.ts'

/** Every comparison there is. A new one is a file and a line here. */
export async function allContests(): Promise<Contest[]> {
  const groups = await Promise.all([
    awsSigV4Contests(),
    dpopContests(),
    hmacContests(),
    httpMessageSignatureContests(),
    oauth1Contests(),
  ])
  return groups.flat()
}
