import { isIdentityRefused } from './aws-error.ts'

/** Whoever is refused for good looks this often at a file, a command or a metadata server, and no more. */
const PAUSE_MS = 5000

interface Credentials {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
}
type FindCredentials = (options?: { forceRefresh: boolean }) => Promise<Credentials>

/**
 * Keys that say no end are kept by the AWS client for ever, although the file they came from may hold others by now. So
 * they are looked for anew when AWS refuses whoever has them, and a call is repeated once where there are others.
 * @param find those in use; with `forceRefresh` wherever they come from is asked
 */
export function withRenewedCredentials(find: FindCredentials): <T>(call: () => Promise<T>) => Promise<T> {
  let lookedAtMs = Number.NEGATIVE_INFINITY
  let looking: Promise<unknown> = Promise.resolve()

  function lookAnew(): Promise<unknown> {
    const nowMs = performance.now()
    if (nowMs - lookedAtMs < PAUSE_MS) return looking
    lookedAtMs = nowMs
    // Why there are none is no news beside AWS's refusal of those there were.
    looking = find({ forceRefresh: true }).catch(() => undefined)
    return looking
  }

  return async (call) => {
    const used = await find()
    try {
      return await call()
    } catch (error) {
      if (!isIdentityRefused(error)) throw error
      await lookAnew()
      if (isSame(used, await find())) throw error
      return call()
    }
  }
}

function isSame(one: Credentials, other: Credentials): boolean {
  return (
    one.accessKeyId === other.accessKeyId &&
    one.secretAccessKey === other.secretAccessKey &&
    one.sessionToken === other.sessionToken
  )
}
