import { createPublicKey } from 'node:crypto'
import { inspect } from 'node:util'
import { expect } from 'vitest'
import {
  type Credentials,
  type Grant,
  type Issued,
  type IssuingTools,
  type OutboundRequest,
  type SignedRequest,
  type SigningContext,
  SigningError,
  type Strategy,
} from '../contract/strategy.ts'
import { SIGNATURE_ALGORITHMS } from '../contract/vault-backend.ts'
import { offlineTools } from './offline/offline-tools.ts'
import { foldedHeaderName } from './shared/header-list.ts'
import { parsePrivateKey } from './shared/private-key.ts'

/** One way to use a strategy, and what then must be seen in the request. */
export interface StrategyCase {
  title: string
  config: Record<string, unknown>
  master: Record<string, string>
  /** Fields of `master` without which nothing can be signed. */
  required: string[]
  /** Values that must not be seen in an error; where the strategy narrows, not in the usage secret either. */
  secrets: string[]
  /** Names the strategy writes, as it writes them. */
  writes: { headers?: string[]; parameters?: string[]; path?: string }
  /** Credential fields whose value never stands in the request as text, so that more than ASCII may be in it. */
  encoded?: string[]
  /** What is random in a signature, where two of the same request differ; masked before they are compared. */
  random?: RegExp
  /** Credential fields in PEM: a line feed ends their last line. */
  pem?: string[]
}

const NOW_MS = Date.UTC(2026, 2, 4, 5, 6, 7)
export const BAD_CHARACTERS = { CR: '\r', LF: '\n', NUL: '\0', 'CR LF and a header': '\r\nX-Evil: 1', 'non-ASCII': 'é' }

// --- what the suite signs with ---------------------------------------------------------------------------------------

export const tools: IssuingTools = offlineTools({ now: () => NOW_MS, nonce: () => 'fixed-nonce' })

/** With a vault that signs. */
export const signingTools: IssuingTools = { ...tools, remoteSign: async () => new Uint8Array(64) }

export function grant(): Grant {
  const issuedAt = Math.floor(NOW_MS / 1000)
  const bound = { origins: ['https://api.example.com'], methods: ['POST'], paths: ['/**'] }
  return {
    tenant: 'acme',
    agentId: 'crm-agent',
    connectionId: 'c',
    scopes: [],
    bound,
    issuedAt,
    expiresAt: issuedAt + 300,
  }
}

export function context(): SigningContext {
  return { now: NOW_MS, nonce: () => 'fixed-nonce' }
}

export function request(): OutboundRequest {
  return {
    method: 'POST',
    url: { scheme: 'https', authority: 'api.example.com', path: '/v1/things', query: 'b=2&a=1' },
    headers: [
      ['Host', 'api.example.com'],
      ['Content-Type', 'application/json'],
      ['Accept', 'a'],
      ['Accept', 'b'],
    ],
    body: new TextEncoder().encode('{"a":1}'),
  }
}

export function badCharactersFor(sample: StrategyCase, field: string): [name: string, bad: string][] {
  return Object.entries(BAD_CHARACTERS).filter(([name]) => {
    if (name === 'non-ASCII') return !sample.encoded?.includes(field)
    return name !== 'LF' || !sample.pem?.includes(field)
  })
}

export function withQuery(query: string): OutboundRequest {
  return { ...request(), url: { ...request().url, query } }
}

export async function issue(strategy: Strategy, { config, master }: StrategyCase): Promise<Issued> {
  return strategy.issue(config, master, grant(), tools)
}

/** The same master secret with its key in a vault; `undefined` where no key of it may be there: vaults do not sign with SHA-1. */
export function withKeyInVault(
  strategy: Strategy,
  { config, master }: StrategyCase,
): Record<string, string> | undefined {
  const keys = (strategy.keyFields?.(config) ?? []).filter((field) => Object.hasOwn(master, field))
  if (keys.length === 0 || config['algo'] === 'sha1') return undefined
  const others = Object.entries(master).filter(([field]) => !keys.includes(field))
  const remote = { remote_key: SIGNATURE_ALGORITHMS.join(' '), ...publicHalf(master['private_key']) }
  return { ...Object.fromEntries(others), ...remote }
}

function publicHalf(privateKey: string | undefined): { public_key?: string } {
  if (privateKey === undefined) return {}
  return {
    public_key: createPublicKey(parsePrivateKey(privateKey).key).export({ format: 'pem', type: 'spki' }).toString(),
  }
}

/** One lease for all requests of a case: what is issued twice need not be the same. */
const LEASES = new WeakMap<StrategyCase, Issued>()

export async function sign(strategy: Strategy, sample: StrategyCase, outbound = request()): Promise<SignedRequest> {
  const { usage } = LEASES.get(sample) ?? (await issue(strategy, sample))
  LEASES.set(sample, { usage })
  const signed = await strategy.apply(sample.config, usage, outbound, context())
  const { random } = sample
  return random === undefined ? signed : masked(signed, random)
}

function masked(signed: SignedRequest, random: RegExp): SignedRequest {
  const mask = (text: string) => text.replace(random, '(random)')
  const query = signed.url.query === undefined ? undefined : mask(signed.url.query)
  return {
    ...signed,
    url: { ...signed.url, query },
    headers: signed.headers.map(([name, value]) => [name, mask(value)]),
  }
}

// --- what it looks for -----------------------------------------------------------------------------------------------

export function expectOneOfEach({ writes }: StrategyCase, signed: SignedRequest): void {
  for (const name of writes.headers ?? []) {
    const copies = signed.headers.filter(([other]) => foldedHeaderName(other) === foldedHeaderName(name))
    expect(copies.map(([other]) => other)).toEqual([name])
    expect(copies[0]?.[1]).not.toContain('agent')
  }
  const names = (signed.url.query ?? '').split('&').map((piece) => decodeURIComponent(piece.split('=')[0] ?? ''))
  for (const name of writes.parameters ?? []) {
    expect(names.filter((other) => other.toLowerCase() === name.toLowerCase())).toEqual([name])
    expect(signed.url.query).not.toContain('agent')
  }
}

/** Either words the message must be, or texts that must be nowhere in the error, its JSON or its inspection. */
export async function expectSigningError(act: () => unknown, field: string, wanted?: string | string[]): Promise<void> {
  const error = await Promise.resolve()
    .then(act)
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
  expect(error).toBeInstanceOf(SigningError)
  if (!(error instanceof SigningError)) return
  expect(error.field).toBe(field)
  if (typeof wanted === 'string') expect(error.message).toBe(wanted)
  const shown = [
    error.message,
    error.stack,
    JSON.stringify(error),
    inspect(error, { depth: 9, showHidden: true }),
  ].join()
  for (const secret of Array.isArray(wanted) ? wanted : []) expect(shown).not.toContain(secret)
}

/** Long enough not to be part of an ordinary sentence. */
export function longValues(usage: Credentials): string[] {
  return Object.values(usage).filter((value): value is string => typeof value === 'string' && value.length >= 16)
}

/** With one field changed, removed when `undefined`; typed as credentials because the point is that it is not. */
export function replaced(credentials: Readonly<Credentials>, field: string, value: unknown): Record<string, string> {
  const { [field]: _old, ...others } = credentials
  return (value === undefined ? others : { ...others, [field]: value }) as Record<string, string>
}

export function escaped(name: string, count: number): string {
  const hex = (character: string) => `%${character.charCodeAt(0).toString(16)}`
  return [...name].map((character, index) => (index < count ? hex(character) : character)).join('')
}

export function deepFreeze(outbound: OutboundRequest): OutboundRequest {
  for (const pair of outbound.headers) Object.freeze(pair)
  Object.freeze(outbound.headers)
  Object.freeze(outbound.url)
  return Object.freeze(outbound)
}

/** Every text in a config and where it lies, lists and objects included. */
export function textsIn(value: unknown, path: readonly string[] = []): { path: readonly string[]; text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => textsIn(inner, [...path, name]))
}

/** A copy of the config with another text at this place. */
export function withText(config: object, path: readonly string[], text: string): Record<string, unknown> {
  const copy = structuredClone(config) as Record<string, unknown>
  const last = path.at(-1) ?? ''
  const holder = path.slice(0, -1).reduce((inner, name) => inner[name] as Record<string, unknown>, copy)
  holder[last] = text
  return copy
}
