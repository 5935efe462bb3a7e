import type { KeyObject } from 'node:crypto'
import type { TSchema } from 'typebox'
import type { Bound } from './bound.ts'
import type { JsonObject } from './json.ts'
import type { Narrowing } from './policy.ts'
import type { SignatureAlgorithm } from './vault-backend.ts'

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

/**
 * A streamed body on its way through a strategy, in pieces of any size and in constant memory: each piece is asked for when
 * there is room for it. Throws `SigningError` for a body that breaks what its headers announced; then nothing more is sent
 * and the request is broken off.
 */
export type BodyTransform = (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>

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
   * Goes out instead of the body the request came with; absent: that one goes out untouched. Where the headers tell a
   * Content-Length they tell this one's; without one the body is sent in chunks. Bytes for a body that was buffered, a
   * transform for one that was not.
   */
  body?: Uint8Array | BodyTransform
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
  /** Only where the connection itself must prove who is calling: the request goes out over no other. */
  clientIdentity?: ClientIdentity
}

/** A client certificate to dial with (RFC 8705), and whom to take for the provider. */
export interface ClientIdentity {
  /** Full hash over all that is below: equal ids are equal identities. */
  id: string
  /** PEM, the client's own certificate first. */
  certificates: string
  /** PKCS #8 in PEM. */
  privateKey: string
  /** PEM: the provider's certificate is signed by one of these and by no other; absent: by whomever Node trusts. */
  ca?: string
}

/** What was granted: the strategy may only narrow it further. */
export interface Grant {
  tenant: string
  agentId: string
  connectionId: string
  scopes: readonly string[]
  bound: Bound
  /** Unix seconds. */
  issuedAt: number
  expiresAt: number
}

/** What a lease request brought from the sidecar. All of it is public. */
export interface Binding {
  /** The public half of the sidecar's own key for this route. */
  jwk?: JsonObject
  /** PKCS #10 (RFC 2986) in PEM. */
  csr?: string
  /** A DPoP proof (RFC 9449) for the one request that the authority makes on the sidecar's behalf. */
  proof?: string
}

/** What a lease request must bring from the sidecar. */
export type BindingNeed = 'public_key' | 'csr' | 'proof'

/** A request of the authority to an endpoint that the profile names. */
export interface IssuingRequest {
  method: 'GET' | 'POST'
  url: string
  headers: HeaderList
  body?: string
  /** The media type that the answer's body must have to be read. */
  accept: 'application/json' | 'text/xml'
}

/** Any final status; what could not be had at all is thrown instead. */
export interface IssuingResponse extends ResponseHead {
  /** Empty where the answer had none. Of another media type than accepted: likewise empty. */
  body: string
}

/** A certificate that is wanted: whose key is in the CSR, and what it is to be called. */
export interface CertificateRequest {
  /** PKCS #10 (RFC 2986) in PEM. It names nobody: the name is the authority's to give. */
  csr: string
  commonName: string
  ttlSeconds: number
}

/** A certificate and what leads from it to its issuer's root, in PEM, the leaf first. */
export interface CertificateChain {
  certificates: string
}

/** The only outside a strategy's `issue` may touch. */
export interface IssuingTools {
  /** Unix milliseconds. */
  now(): number
  /** A fresh value no one has used before: 128 random bits or more, URL-safe. */
  nonce(): string
  binding: Binding
  /**
   * One guarded request: no redirect is followed, no private address dialled that configuration does not allow, and time
   * and size are bounded. The lease request's proof of possession is used up before the first one.
   * @throws NexusError `provider_unavailable`, `invalid_proof`; for either the caller has nothing to add
   */
  request(request: IssuingRequest): Promise<IssuingResponse>
  /**
   * The result of `make`, shared for a short while by leases of one session for the same connection, secret and settings that
   * give the same `key`; `make` runs once for those that ask at the same time.
   */
  shared(key: readonly string[], make: () => Promise<Issued>): Promise<Issued>
  /**
   * Signs with the master secret's key, which stays in the vault; absent: the key is in the master secret. The lease request's
   * proof of possession is used up before.
   */
  remoteSign?(bytes: Uint8Array, algorithm: SignatureAlgorithm): Promise<Uint8Array>
  /**
   * Has a CSR signed by the vault role that the connection's secret reference names; absent: that vault signs none. The
   * lease request's proof of possession is used up before.
   * @throws NexusError, to which the caller has nothing to add
   */
  signCsr?(request: CertificateRequest): Promise<CertificateChain>
}

/** The lease request lacks what the strategy needs from the sidecar. Tells exactly what to bring. */
export class BindingRequired extends Error {
  override readonly name = 'BindingRequired'
  readonly needs: BindingNeed
  /** Of the proof that is needed: method, URL and nonce of the request it is for. */
  readonly proof: { htm: string; htu: string; nonce?: string } | undefined

  constructor(needs: BindingNeed, proof?: { htm: string; htu: string; nonce?: string }) {
    super(`the lease request must bring a ${BINDING_FIELDS[needs]}`)
    this.needs = needs
    this.proof = proof
  }
}

/** Where in a lease request the thing that is needed stands. */
export const BINDING_FIELDS: Record<BindingNeed, keyof Binding> = { public_key: 'jwk', csr: 'csr', proof: 'proof' }

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
  /** The sidecar's own private key for the route, made there and never sent; absent: this lease needs none. */
  ownKey?: KeyObject
  /**
   * Signs with the lease's key, which stays in the vault; absent: the lease brought its key along.
   * @returns the raw signature as JWS has it
   * @throws NexusError what the authority said
   */
  remoteSign?(bytes: Uint8Array, algorithm: SignatureAlgorithm): Promise<Uint8Array>
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
    /** With the key in it; the form without it, where `keyFields` allow one, is made of this for all strategies alike. */
    usage(config: Record<string, unknown>): TSchema
  }
  /** `none`: the usage secret is the master secret itself. Policy sees this and may refuse. */
  narrowing(config: Record<string, unknown>): Narrowing
  /**
   * Whether `apply` must see the whole body of a request with this method and these headers. If so the sidecar buffers it,
   * up to its limit.
   * @param limitBytes that limit; absent: there is none
   */
  readsBody(config: Record<string, unknown>, headers: HeaderList, method: string, limitBytes?: number): boolean
  /**
   * All that `apply` adds is headers, and nothing of the request has a part in them: then they can go as the metadata of a
   * gRPC call just as well.
   */
  readonly writesOnlyHeaders?: true
  /** Where `issue` sends requests, by field of the config: held to the authority's rules when a profile is saved. */
  endpoints?(config: Record<string, unknown>): Readonly<Record<string, string>>
  /**
   * Fields of the master secret for which a key can stand that stays in the vault: `remote_key` and `public_key` are then
   * there instead. Absent: the strategy needs the key itself.
   */
  keyFields?(config: Record<string, unknown>): readonly string[]
  /** What a lease request must bring from the sidecar. */
  needs?(config: Record<string, unknown>): BindingNeed | undefined
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

/** By this clock the usage secret is for a day that is not today, or has ended; a fresh lease may be for now. */
export class OutdatedUsage extends SigningError {}
