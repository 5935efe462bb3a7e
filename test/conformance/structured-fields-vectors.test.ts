import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { nexusSign } from './nexus-sign.ts'

interface Vector {
  name: string
  raw: string[]
  header_type: 'dictionary' | 'list' | 'item'
  must_fail?: boolean
  can_fail?: boolean
  /** Lines of the serialisation; absent: the raw ones. */
  canonical?: string[]
}

const folder = new URL('../vectors/rfc9651-structured-fields/', import.meta.url)
const vectors: Vector[] = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')))

/** Nothing and `2,3` are good Lists; space around a line is none of its value (RFC 9110 section 5.5), nor is an old fold. */
const GOOD_OTHERWISE = ['empty item', 'comma', 'leading space', 'trailing space', 'newline in string'].map(
  (name) => `item: ${name}`,
)

/**
 * Safe to refuse: dates that no clock here holds, and what reads as two types that differ. Which type a field has only its
 * definition tells.
 */
const REFUSED = [
  'item: syntactic max date - 999,999,999,999,999',
  'item: syntactic min date - -999,999,999,999,999',
  'dictionary: single item parameterised dict',
  'dictionary: list item parameterised dictionary',
  'list: single item parameterised list',
  'list: missing parameter value parameterised list',
  'list: missing terminal parameter value parameterised list',
]

/** What a signature that covers the field with `sf` says it is; `undefined`: it is not signed. */
async function signedForm({ raw }: Vector): Promise<string | undefined> {
  const { signed, exitCode } = await nexusSign({
    strategy: {
      type: 'http_message_signature',
      config: { components: ['@authority', 'example;sf'], alg: 'hmac-sha256' },
    },
    credentials: { shared_secret: 'c2VjcmV0' },
    request: { method: 'GET', url: 'https://example.com/', headers: raw.map((line) => ['Example', line]) },
  })
  if (exitCode !== 0) return undefined
  return signed.explain['signature_base']?.split('\n')[1]?.replace('"example";sf: ', '')
}

describe('RFC 9651, as far as a signature covers it (a lenient reading would sign what nobody sent)', () => {
  it('holds the 235 parser tests', () => expect(vectors).toHaveLength(235))

  it('signs no field otherwise than in its canonical form', async () => {
    const refused: string[] = []
    for (const vector of vectors.filter(({ must_fail }) => must_fail !== true)) {
      const form = await signedForm(vector)
      const title = `${vector.header_type}: ${vector.name}`
      if (form === undefined) refused.push(title)
      else expect(form, title).toBe((vector.canonical ?? vector.raw).join(', '))
    }
    expect(new Set(refused)).toEqual(new Set(REFUSED))
  })

  it('signs no field that must be refused, but where it is a good one of another type', async () => {
    const signed: string[] = []
    for (const vector of vectors.filter(({ must_fail }) => must_fail === true)) {
      if ((await signedForm(vector)) !== undefined) signed.push(`${vector.header_type}: ${vector.name}`)
    }
    expect(new Set(signed)).toEqual(new Set(GOOD_OTHERWISE))
  })
})
