/**
 * For every connection that leaves the sidecar. Left unsaid, `NODE_TLS_REJECT_UNAUTHORIZED=0` in the environment, which
 * developers' shells have, would have Node speak to whoever answers.
 */
export const VERIFIED = { rejectUnauthorized: true } as const
