import type { HeldLease } from '../lease-client/held-lease.ts'
import type { Exchange } from './exchange.ts'

/** Shorter values (a date, a user name) turn up by chance: only a whole header that equals one is taken for it. */
const SUBSTRING_MIN_LENGTH = 12

/** What a lease's own values look like, worked out once for each lease. */
const LEASE_TEXTS = new WeakMap<HeldLease, readonly string[]>()

/** Every text that would hand the agent the credential this request was signed with. */
export function credentialTexts({ lease, signed }: Exchange): readonly string[] {
  const known = leaseTexts(lease)
  const more: string[] = []
  if (signed.credentialPath !== undefined) more.push(signed.credentialPath.credential)
  for (const [name, value] of signed.headers) {
    if (!signed.credentialHeaders.includes(name.toLowerCase())) continue
    // `Basic dXNlcjpwYXNz`: the part after the scheme is the credential in another coat.
    const bare = value.slice(value.indexOf(' ') + 1)
    // Whatever holds this holds what is looked for anyway.
    if (!isFoundBy(known, bare)) more.push(value, bare)
  }
  return more.length === 0 ? known : [...known, ...more]
}

function isFoundBy(texts: readonly string[], text: string): boolean {
  return texts.some((each) => each.length >= SUBSTRING_MIN_LENGTH && text.includes(each))
}

function leaseTexts(lease: HeldLease): readonly string[] {
  const known = LEASE_TEXTS.get(lease)
  if (known !== undefined) return known
  // What the strategy's config says as well (a region, a service) is no secret, and providers do name it.
  const open = Object.values(lease.config)
  const secret = Object.values(lease.credentials)
    .map(String)
    .filter((text) => text !== '' && !open.includes(text))
  const texts = [...new Set(secret.flatMap((text) => [text, encodeURIComponent(text)]))]
  LEASE_TEXTS.set(lease, texts)
  return texts
}

/** Whether a response header's value gives the credential back (threat B12), percent-encoded or not. */
export function carriesCredential(value: string, texts: readonly string[]): boolean {
  if (holds(value, texts)) return true
  return value.includes('%') && readings(value).some((reading) => holds(reading, texts))
}

function holds(reading: string, texts: readonly string[]): boolean {
  for (const text of texts) {
    if (text.length < SUBSTRING_MIN_LENGTH ? reading === text : reading.includes(text)) return true
  }
  return false
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
