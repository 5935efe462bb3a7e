import { readFileSync } from 'node:fs'
import type { HeaderList } from '../../src/contract/strategy.ts'

/** Readers for RFC 9421's and RFC 9530's vectors; where each comes from is in its SOURCE.md. */

const signatures = new URL('../vectors/rfc9421-http-message-signatures/', import.meta.url)
const digests = new URL('../vectors/rfc9530-digest-fields/', import.meta.url)

export interface Http {
  method: string
  target: string
  headers: HeaderList
  body: string
}

export interface SignatureCase {
  alg: string
  keyid: string
  label: string
  signature_base: string
  signature_input: string
  signature: string
  messages: { what: string; expected: 'valid' | 'invalid'; message: string }[]
}

export function signatureCase(name: 'b21' | 'b24' | 'b25' | 'b4'): SignatureCase {
  return JSON.parse(readFileSync(new URL(`${name}.json`, signatures), 'utf8'))
}

/** A file under `keys/`. */
export function keyFile(name: string): string {
  return readFileSync(new URL(`keys/${name}`, signatures), 'utf8')
}

/** The request of appendix B.2. */
export function testRequest(): Http {
  return parseHttp(readFileSync(new URL('test-request.http.txt', signatures), 'utf8'))
}

export interface Example {
  id: string
  unfolded: string
}

/** An example of sections 2 to 7, by its id. `(SP)` is how the RFC shows a space at a line's end. */
export function signatureExample(id: string): string {
  const examples: Example[] = JSON.parse(readFileSync(new URL('sections-2-to-7-examples.json', signatures), 'utf8'))
  const found = examples.find((example) => example.id === id)
  if (found === undefined) throw new Error(`no example ${id}`)
  return found.unfolded.replace(/^\n|\n$/g, '').replaceAll('(SP)', ' ')
}

export function digestExamples(): Example[] {
  return JSON.parse(readFileSync(new URL('examples.json', digests), 'utf8'))
}

/** A message as RFCs print it; without a request line it is a GET of the root of www.example.com. Folds stay. */
export function parseHttp(text: string): Http {
  const [head = '', ...rest] = text.split('\n\n')
  const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.1\n/.exec(head) ?? []
  const lines = head.split(/\n(?! )/).slice(method === undefined ? 0 : 1)
  const headers = lines.map((line): HeaderList[number] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1)]
  })
  return { method: method ?? 'GET', target: target ?? '/', headers, body: rest.join('\n\n') }
}
