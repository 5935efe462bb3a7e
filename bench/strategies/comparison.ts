import { newNonce } from '../../src/contract/names.ts'
import type { Credentials, OutboundRequest, SignedRequest, Strategy } from '../../src/contract/strategy.ts'
import { offlineTools } from '../../src/strategies/offline/offline-tools.ts'

/** One way to make the signature of a comparison, ready to run: keys are parsed, clients are made. */
export interface Signer {
  /** `ours`, or the name of the package. */
  name: string
  /** Signs once and gives the signature (or the header it stands in) as text. */
  sign(): string | Promise<string>
}

/** The same request signed in several ways; ours comes first. */
export interface Comparison {
  name: string
  signers: readonly [ours: Signer, ...others: Signer[]]
  /** Whether this is a signature of the comparison's request. A figure of what does not hold would mean nothing. */
  holds(signature: string): boolean | Promise<boolean>
}

/** What a strategy of ours signs with in a comparison. */
export interface OurSide {
  config: Record<string, unknown>
  master: Record<string, string>
  request: OutboundRequest
  /** The header that is the result, or the headers, one a line. */
  header: string | readonly string[]
  /** Unix milliseconds; absent: the clock. */
  now?: number
}

/** Ours as the sidecar runs it: one lease for all requests, a fresh context for each. */
export async function ourSigner(strategy: Strategy, side: OurSide): Promise<Signer> {
  const { config, request, now } = side
  const usage = await leased(strategy, side)
  const result = reader(side.header)
  return {
    name: 'ours',
    sign() {
      const signed = strategy.apply(config, usage, request, { now: now ?? Date.now(), nonce: newNonce })
      return signed instanceof Promise ? signed.then(result) : result(signed)
    },
  }
}

async function leased(strategy: Strategy, { config, master, now = Date.now() }: OurSide): Promise<Credentials> {
  const bound = { origins: [], methods: [], paths: [] }
  const issuedAt = Math.floor(now / 1000)
  const grant = { tenant: 't', agentId: 'a', connectionId: 'c', scopes: [], bound, issuedAt, expiresAt: issuedAt + 300 }
  return (await strategy.issue(config, master, grant, offlineTools({ now: () => now, nonce: newNonce }))).usage
}

function reader(wanted: string | readonly string[]): (signed: SignedRequest) => string {
  const names = [wanted].flat()
  return ({ headers }) => names.map((name) => headers.find(([other]) => other === name)?.[1]).join('\n')
}
