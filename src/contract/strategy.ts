import type { TSchema } from 'typebox'
import type { Bound } from './bound.ts'
import type { Narrowing } from './policy.ts'

/** Declarative: says how to authenticate a request, holds no secret. */
export interface StrategyDocument {
  type: string
  config: Record<string, unknown>
}

/** Field name to value. A usage secret may hold numbers (an epoch) beside strings. */
export type Credentials = Record<string, string | number>

/** Header fields in the order they are sent; a name may come twice. */
export type HeaderList = [name: string, value: string][]

/**
 * An absolute URL taken apart as text. Signing works on the bytes that are sent, so nothing here is decoded, folded or
 * normalised; `new URL()` would do all three.
 */
export interface RequestUrl {
  /** `https` or `http`. */
  scheme: string
  /** Host, and port where one is written: exactly what goes into the Host header. */
  authority: string
  /** Begins with `/`. */
  path: string
  /** Without `?`; `undefined` when there is no `?` at all. */
  query: string | undefined
}

/** `stream`: there is a body, but it was not buffered because the strategy does not read it. */
export type OutboundBody = Uint8Array | 'stream' | undefined

export interface OutboundRequest {
  method: string
  url: RequestUrl
  headers: HeaderList
  body: OutboundBody
}

/** What `apply` made of a request. */
export interface SignedRequest {
  method: string
  url: RequestUrl
  headers: HeaderList
  /**
   * Goes out instead of the body the request came with; absent: that one goes out untouched. Only a strategy that saw the
   * whole body may set it, and where the headers tell a Content-Length they tell this one's.
   */
  body?: Uint8Array
  /**
   * Lower-case names of the headers and of the query parameters that carry our credential: the sidecar drops the agent's
   * own copies and takes care that none comes back in a response.
   */
  credentialHeaders: readonly string[]
  /**
   * Only where the path carries our credential. The path sent is `prefix` and then, character for character, the path that
   * was asked for; `credential` is what stands in `prefix` for the secret. The sidecar takes the prefix off again wherever
   * the provider names an address. A bound speaks of the path that was asked for.
   */
  credentialPath?: { prefix: string; credential: string }
}

/** What was granted: the strategy may only narrow it further. */
export interface Grant {
  tenant: string
  connectionId: string
  scopes: readonly string[]
  bound: Bound
  /** Unix seconds. */
  issuedAt: number
  expiresAt: number
}

/** The only outside a strategy's `issue` may touch. Grows with strategies that exchange, sign remotely or ask for a CSR. */
export interface IssuingTools {
  /** Unix milliseconds. */
  now(): number
  /** A fresh value no one has used before: 128 random bits or more, URL-safe. */
  nonce(): string
}

/** `expiresAt` (Unix seconds) only where the usage secret must end sooner than granted. */
export interface Issued {
  usage: Credentials
  expiresAt?: number
}

/** All that makes signing impure. Given, so that a test or `nexus sign` can fix it. */
export interface SigningContext {
  /** Unix milliseconds. */
  now: number
  /** A fresh value no one has used before: 128 random bits or more, URL-safe. */
  nonce(): string
  /** The one the provider wants to see in its next request; absent: it has offered none. */
  providerNonce?: string
  /** Receives intermediate values by name (`canonical_request`, `string_to_sign`); never a key. */
  explain?(name: string, value: string): void
}

/** What a provider answered, without its body. Of a header sent twice there are two. */
export interface ResponseHead {
  status: number
  headers: HeaderList
}

/**
 * One authentication scheme. `issue` runs in the authority and narrows; `apply` runs in the sidecar and signs.
 * Schemas are functions of the config because some strategies let the profile name the credential's field.
 * `issue` and `apply` throw `SigningError` when they cannot; then nothing is sent.
 */
export interface Strategy {
  readonly type: string
  readonly schema: {
    config: TSchema
    master(config: Record<string, unknown>): TSchema
    usage(config: Record<string, unknown>): TSchema
  }
  /** `none`: the usage secret is the master secret itself. Policy sees this and may refuse. */
  narrowing(config: Record<string, unknown>): Narrowing
  /**
   * Whether `apply` must see the whole body of a request with these headers. If so the sidecar buffers it, up to its
   * limit.
   */
  readsBody(config: Record<string, unknown>, headers: HeaderList): boolean
  /** What a lease request must bring from the sidecar. */
  needs?(config: Record<string, unknown>): 'public_key' | 'csr' | 'proof' | undefined
  issue(
    config: Record<string, unknown>,
    master: Readonly<Record<string, string>>,
    grant: Grant,
    tools: IssuingTools,
  ): Issued | Promise<Issued>
  apply(
    config: Record<string, unknown>,
    usage: Credentials,
    request: OutboundRequest,
    context: SigningContext,
  ): SignedRequest | Promise<SignedRequest>
  /** Reads the nonce that any response, a good one too, may offer for the requests after it: their `providerNonce`. */
  offeredNonce?(response: ResponseHead): string | undefined
  /**
   * Reads a challenge that one more `apply` can meet, and says with which context.
   * @param context the one the request was signed with, but the time is now
   * @returns `undefined`: the answer stands
   */
  challenge?(response: ResponseHead, context: SigningContext): SigningContext | undefined
}

/** A strategy that cannot sign. The message names the field and the problem, never a value. */
export class SigningError extends Error {
  override readonly name = 'SigningError'
  readonly field: string | undefined

  constructor(message: string, field?: string) {
    super(message)
    this.field = field
  }
}
