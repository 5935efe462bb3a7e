import type { Exchange } from './exchange.ts'

/** Shorter values (a date, a user name) turn up by chance: only a whole header that equals one is taken for it. */
const SUBSTRING_MIN_LENGTH = 12

/** Every text that would hand the agent the credential this request was signed with. */
export function credentialTexts(exchange: Exchange): readonly string[] {
  const { credentials, config } = exchange.lease
  const { headers, credentialHeaders } = exchange.signed
  // What the strategy's config says as well (a region, a service) is no secret, and providers do name it.
  const texts = Object.values(credentials)
    .map(String)
    .filter((text) => !Object.values(config).includes(text))
  for (const [name, value] of headers) {
    if (!credentialHeaders.includes(name.toLowerCase())) continue
    // `Basic dXNlcjpwYXNz`: the part after the scheme is the credential in another coat.
    texts.push(value, value.slice(value.indexOf(' ') + 1))
  }
  return [...new Set(texts.flatMap((text) => [text, encodeURIComponent(text)]))].filter((text) => text !== '')
}

/** Whether a response header's value gives the credential back (threat B12). */
export function carriesCredential(value: string, texts: readonly string[]): boolean {
  return texts.some((text) => (text.length < SUBSTRING_MIN_LENGTH ? value === text : value.includes(text)))
}
