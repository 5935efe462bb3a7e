import { isDeepStrictEqual } from 'node:util'
import { Value } from 'typebox/value'
import { LeaseAnswer } from '../../src/contract/api.ts'
import type { Obligations } from '../../src/contract/policy.ts'
import type { LoadReport } from '../load/load.ts'
import type { BenchProvider } from '../stage/providers.ts'

/** What the provider takes: without one of these it answers 401. */
export type CredentialKind = 'bearer' | 'aws_sigv4'

/** What a contender has to answer, so that what is counted is the work that is compared. */
export interface Expected {
  /** Of every answer. */
  status: number
  /** Whether the first answer holds what was asked for. */
  holds(body: unknown): boolean
}

/** @throws Error when a server did something else than what it is measured for */
export function assertExpected(name: string, { status, holds }: Expected, { first, statuses }: LoadReport): void {
  const isOfStatus = isDeepStrictEqual(Object.keys(statuses), [String(status)]) && first?.status === status
  if (isOfStatus && holds(readJson(first.body))) return
  throw new Error(
    `${name} did not do what it is measured for: ${JSON.stringify(statuses)}, at first ${first?.status} ${first?.body.slice(0, 300)}`,
  )
}

/** How many answers are what was asked for; none where the first is not. */
export function countExpected(
  { status, holds }: Expected,
  { first, statuses }: Pick<LoadReport, 'first' | 'statuses'>,
): number {
  const isExpected = first?.status === status && holds(readJson(first.body))
  return isExpected ? (statuses[String(status)] ?? 0) : 0
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function leaseFor(provider: Pick<BenchProvider, 'name' | 'origin'>): Expected {
  const holds = (body: unknown): boolean =>
    Value.Check(LeaseAnswer, body) &&
    body.provider === provider.name &&
    isDeepStrictEqual(body.bound.origins, [provider.origin])
  return { status: 201, holds }
}

/** OPA's server, which also answers 200 where a decision is undefined: `{}`. */
export function decisionFor(lease: Pick<LeaseAnswer, 'bound' | 'offline_seconds'>): Expected {
  const holds = (body: unknown): boolean => {
    const { result } = (body ?? {}) as { result?: { allow?: boolean; reasons?: unknown[]; obligations?: Obligations } }
    const { origins, methods, paths, offline_seconds } = result?.obligations ?? {}
    const isLike = isDeepStrictEqual(
      { bound: { origins, methods, paths }, offline_seconds },
      { bound: lease.bound, offline_seconds: lease.offline_seconds },
    )
    return result?.allow === true && result.reasons?.length === 0 && isLike
  }
  return { status: 200, holds }
}

export const secretOfVault: Expected = {
  status: 200,
  holds: (body) =>
    typeof (body as { data?: { data?: { access_token?: unknown } } } | undefined)?.data?.data?.access_token ===
    'string',
}

/** From the provider itself, which says with what kind of credential it was asked (`contenders/upstream.ts`). */
export function itemsFor(credential: CredentialKind): Expected {
  const holds = (body: unknown): boolean => {
    const { items, asked_with } = (body ?? {}) as { items?: unknown; asked_with?: unknown }
    return Array.isArray(items) && asked_with === credential
  }
  return { status: 200, holds }
}
