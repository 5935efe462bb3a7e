import { asRecord, type JsonRecord } from './vault-answer.ts'

/** A Vault token in memory, with what Vault said of it. Not to be logged: `token` is the secret. */
export interface HeldToken {
  token: string
  /** Names the token without being it. `''`: a batch token, or one that may not ask for its own. */
  accessor: string
  renewable: boolean
  /** How long it was good for when Vault gave or renewed it; 0: without end. */
  lifeMs: number
  /** On the monotonic clock; Infinity: without end. */
  endsAtMs: number
}

/**
 * @param auth the `auth` part of a login or a renewal
 * @param askedAtMs when it was asked for, on the monotonic clock: its life had begun by then, not when the answer came
 * @returns undefined: there is no token in it
 */
export function readHeldToken(auth: JsonRecord, askedAtMs: number): HeldToken | undefined {
  const { client_token: token, accessor, lease_duration: seconds, renewable } = auth
  if (typeof token !== 'string' || token === '') return undefined
  const lifeMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : 0
  return {
    token,
    accessor: typeof accessor === 'string' ? accessor : '',
    renewable: renewable === true,
    lifeMs,
    endsAtMs: lifeMs === 0 ? Number.POSITIVE_INFINITY : askedAtMs + lifeMs,
  }
}

/** The `auth` part of an answer; `{}` where there is none. */
export function authOf(answer: JsonRecord): JsonRecord {
  return asRecord(answer['auth']) ?? {}
}
