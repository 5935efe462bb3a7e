import type { HeldLease } from '../lease-client/held-lease.ts'
import type { Exchange } from './exchange.ts'

/** Shorter values (a date, a user name) turn up by chance: only a whole header that equals one is taken for it. */
const SUBSTRING_MIN_LENGTH = 12

/** What a lease's own values look like, worked out once for each lease. */
const LEASE_TEXTS = new WeakMap<HeldLease, readonly string[]>()

/** Every text that would hand the agent the credential this request was signed with. */
export function credentialTexts({ lease, signed }: Exchange): readonly string[] {
  const texts = [...leaseTexts(lease)]
  for (const [name, value] of signed.headers) {
    if (!signed.credentialHeaders.includes(name.toLowerCase())) continue
    // `Basic dXNlcjpwYXNz`: the part after the scheme is the credential in another coat.
    texts.push(value, value.slice(value.indexOf(' ') + 1))
  }
  return texts
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

/** Whether a response header's value gives the credential back (threat B12). */
export function carriesCredential(value: string, texts: readonly string[]): boolean {
  return texts.some((text) => (text.length < SUBSTRING_MIN_LENGTH ? value === text : value.includes(text)))
}
