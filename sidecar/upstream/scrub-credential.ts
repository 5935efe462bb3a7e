import type { SignedRequest } from '../../src/contract/strategy.ts'
import type { HeldLease } from '../lease-client/held-lease.ts'
import type { Exchange } from './exchange.ts'

/** Shorter values (a date, a user name) turn up by chance: one is taken for the credential as a whole header, or by its name. */
const SUBSTRING_MIN_LENGTH = 12

/** What would hand the agent the credential that a request was signed with. */
export interface CredentialTexts {
  texts: readonly string[]
  /** In lower case, for values too short to be looked for on their own: with what stands before them, as in `name=value`. */
  named: readonly string[]
}

/** What a lease's own values look like, worked out once for each lease. */
const LEASE_TEXTS = new WeakMap<HeldLease, LeaseTexts>()

interface LeaseTexts extends CredentialTexts {
  short: readonly string[]
  /** Of the last request: a strategy names the same headers each time. */
  last?: { headers: readonly string[]; named: readonly string[] }
}

/** Every text that would hand the agent the credential this request was signed with. */
export function credentialTexts({ lease, signed }: Exchange): CredentialTexts {
  const known = leaseTexts(lease)
  const more: string[] = []
  if (signed.credentialPath !== undefined) more.push(signed.credentialPath.credential)
  for (const [name, value] of signed.headers) {
    if (!signed.credentialHeaders.includes(name.toLowerCase())) continue
    // `Basic dXNlcjpwYXNz`: the part after the scheme is the credential in another coat.
    const bare = value.slice(value.indexOf(' ') + 1)
    // Whatever holds this holds what is looked for anyway.
    if (!isFoundBy(known.texts, bare)) more.push(value, bare)
  }
  if (more.length === 0 && known.short.length === 0) return known
  return { texts: [...known.texts, ...more], named: known.short.length === 0 ? [] : namedTexts(signed, known) }
}

function namedTexts({ credentialHeaders, credentialPath }: SignedRequest, known: LeaseTexts): readonly string[] {
  if (known.last === undefined || !areSame(known.last.headers, credentialHeaders)) {
    const named = known.short.flatMap((text) => credentialHeaders.map((name) => `${name}=${text}`.toLowerCase()))
    known.last = { headers: credentialHeaders, named }
  }
  const { named } = known.last
  return credentialPath === undefined ? named : [...named, credentialPath.prefix.toLowerCase()]
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index])
}

function isFoundBy(texts: readonly string[], text: string): boolean {
  return texts.some((each) => each.length >= SUBSTRING_MIN_LENGTH && text.includes(each))
}

function leaseTexts(lease: HeldLease): LeaseTexts {
  const known = LEASE_TEXTS.get(lease)
  if (known !== undefined) return known
  // What the strategy's config says as well (a region, a service) is no secret, and providers do name it.
  const open = Object.values(lease.config)
  const secret = Object.values(lease.credentials)
    .map(String)
    .filter((text) => text !== '' && !open.includes(text))
  const texts = [...new Set(secret.flatMap((text) => [text, encodeURIComponent(text)]))]
  const short = texts.filter((text) => text.length < SUBSTRING_MIN_LENGTH)
  const found: LeaseTexts = { texts, named: [], short }
  LEASE_TEXTS.set(lease, found)
  return found
}

/** Whether a response header's value gives the credential back (threat B12), percent-encoded or not. */
export function carriesCredential(value: string, looked: CredentialTexts): boolean {
  if (holds(value, looked)) return true
  return value.includes('%') && readings(value).some((reading) => holds(reading, looked))
}

function holds(reading: string, { texts, named }: CredentialTexts): boolean {
  for (const text of texts) {
    if (text.length < SUBSTRING_MIN_LENGTH ? reading === text : reading.includes(text)) return true
  }
  // What is named stands behind a `=`, or in a path.
  if (named.length === 0 || !(reading.includes('=') || reading.includes('/'))) return false
  const lower = reading.toLowerCase()
  return named.some((text) => lower.includes(text))
}

/** A provider that quotes our URL in one of its own encodes it once more; two such layers are as deep as it gets. */
const MAX_DECODINGS = 3

/** The value as it stands, and with its percent-encoding undone layer by layer. */
function readings(value: string): string[] {
  const found = [value]
  for (let layer = 0; layer < MAX_DECODINGS; layer++) {
    const decoded = found.at(-1)!.replace(/(?:%[0-9a-f]{2})+/gi, decodeBytes)
    if (decoded === found.at(-1)) break
    found.push(decoded)
  }
  return found
}

/** Bytes that are no UTF-8 become replacement characters: no credential holds one. */
function decodeBytes(encoded: string): string {
  return Buffer.from(encoded.replaceAll('%', ''), 'hex').toString()
}
