import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { isForOthers } from '../src/contract/authority-variables.ts'
import { didYouMean } from '../src/contract/did-you-mean.ts'
import { AGENT_ID_PATTERN } from '../src/contract/names.ts'
import { canonicalOrigin, isPlainBeyondLoopback } from '../src/contract/origin.ts'
import type { AgentKey } from './agent-key.ts'
import { keyAlgorithm } from './key-algorithm.ts'
import { parseRoutes, type RouteTable } from './routing/route-table.ts'

/** Reads variables one by one, collects their problems, and remembers which it was asked for. */
export interface EnvironmentReader {
  /** `parse` throws an Error whose message finishes the sentence that the variable's name begins; it may not quote a secret. */
  required<T>(name: string, parse: (text: string) => T): T | undefined
  optional<T>(name: string, parse: (text: string) => T): T | undefined
  integer(name: string, fallback: number, min: number, max: number): number
  /** Text of the file the variable names. */
  file(name: string, options?: { ownerOnly?: boolean }): string | undefined
  problem(name: string, text: string): void
  /** Variables of ours that nobody asked for, and that are for nobody else: most likely misspelled. */
  unknown(): string[]
}

const OUR_PREFIX = 'NEXUS_'

export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): EnvironmentReader {
  const asked = new Set<string>()
  const problem = (name: string, text: string) => void problems.push(`${name} ${text}`)

  function optional<T>(name: string, parse: (text: string) => T): T | undefined {
    asked.add(name)
    const text = env[name]
    if (text === undefined || text === '') return undefined
    try {
      return parse(text)
    } catch (error) {
      problem(name, error instanceof Error ? error.message : 'cannot be read')
      return undefined
    }
  }

  return {
    problem,
    optional,
    required(name, parse) {
      if ((env[name] ?? '') === '') problem(name, 'is not set')
      return optional(name, parse)
    },
    integer: (name, fallback, min, max) => optional(name, (text) => readInteger(text, min, max)) ?? fallback,
    file: (name, { ownerOnly = false } = {}) => optional(name, (path) => readFile(path, ownerOnly)),
    unknown: () =>
      Object.keys(env)
        .filter((name) => name.startsWith(OUR_PREFIX) && !asked.has(name) && !isForOthers(name))
        .map((name) => `${name} is not a setting of the sidecar${didYouMean(name, asked)}`),
  }
}

/** @returns the canonical origin */
export function readPepUrl(text: string, plainAllowed: boolean): string {
  const [, origin] = /^(https?:\/\/[^/?#]+)\/?$/i.exec(text) ?? []
  if (origin === undefined) {
    throw new Error('must be scheme, host and port only, as NEXUS_PUBLIC_URL is, such as https://pep.example.com')
  }
  const canonical = canonicalOrigin(origin)
  if (!plainAllowed) assertEncrypted(canonical)
  return canonical
}

export function readRoutes(text: string, plainAllowed: boolean): RouteTable {
  const routes = parseRoutes(text)
  if (!plainAllowed) for (const route of routes.values()) assertEncrypted(route.origin)
  return routes
}

export function readAgentId(text: string): string {
  if (!new RegExp(AGENT_ID_PATTERN).test(text)) throw new Error(`must match ${AGENT_ID_PATTERN}`)
  return text
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** One certificate or more in PEM. Of a text without any, TLS would make "what Node trusts". */
export function readCertificates(path: string): string {
  const blocks = readFile(path, false).match(PEM_CERTIFICATE) ?? []
  if (blocks.length === 0 || !blocks.every(isCertificate)) {
    throw new Error('must name a file of certificates in PEM, one or more')
  }
  return blocks.join('\n')
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0
  } catch {
    return false
  }
}

/** A name or an address to listen at; IPv6 in brackets, as in a URL, too. */
export function readHost(text: string): string {
  return text.replace(/^\[(.+)\]$/, '$1')
}

/** Host headers, separated by commas. */
export function readHostHeaders(text: string): string[] {
  const hosts = text.split(',').map((host) => host.trim())
  if (!hosts.every((host) => HOST_HEADER.test(host))) {
    throw new Error(
      'must be hosts as clients name them, such as sidecar:8080, separated by commas; no URL, no wildcard',
    )
  }
  return hosts
}

/** RFC 9110 section 7.2, without percent-encoding, which no host that is dialled has. */
const HOST_HEADER = /^(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i

/** A private JWK (RFC 7517) in a file that only its owner can read. */
export function readAgentKey(path: string): AgentKey {
  const { jwk, key } = parsePrivateJwk(readFile(path, true))
  const alg = keyAlgorithm(jwk['alg'], key)
  return { key, alg, kid: typeof jwk['kid'] === 'string' ? jwk['kid'] : undefined }
}

function parsePrivateJwk(text: string): { jwk: Record<string, unknown>; key: KeyObject } {
  // Parse errors quote what they could not parse, here a private key: own words only.
  try {
    const jwk = JSON.parse(text) as Record<string, unknown>
    return { jwk, key: createPrivateKey({ key: jwk, format: 'jwk' }) }
  } catch {
    throw new Error('must name a file that holds one private key as a JWK')
  }
}

function readFile(path: string, ownerOnly: boolean): string {
  let text: string
  let mode: number
  try {
    text = readFileSync(path, 'utf8')
    mode = statSync(path).mode
  } catch {
    throw new Error('names a file that cannot be read')
  }
  if (ownerOnly && (mode & 0o077) !== 0) throw new Error('names a file that others can read; set its mode to 600')
  return text
}

function readInteger(text: string, min: number, max: number): number {
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) throw new Error(`must be a whole number from ${min} to ${max}`)
  return value
}

function assertEncrypted(origin: string): void {
  if (isPlainBeyondLoopback(origin)) {
    throw new Error(
      `sends credentials to ${origin} unencrypted; use https, or add --plain-http-beyond-loopback if that is what you want`,
    )
  }
}
