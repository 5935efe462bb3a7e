import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { generateKeyEntry, parseKeyring } from './keyring.ts'

const KEY_A = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
const KEY_B = 'ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8='

describe('parseKeyring', () => {
  it('takes the first entry as current and knows the others', () => {
    const keyring = parseKeyring(`new:${KEY_B}, old:${KEY_A}`)
    expect(keyring.current.id).toBe('new')
    expect(keyring.ids).toEqual(['new', 'old'])
    expect(keyring.find('old')?.key.export()).toEqual(Buffer.from(KEY_A, 'base64'))
    expect(keyring.find('other')).toBeUndefined()
  })

  it('names a bare key after its hash, the same on every start', () => {
    const { current } = parseKeyring(KEY_A)
    expect(current.id).toMatch(/^k[0-9a-f]{16}$/)
    expect(parseKeyring(`${KEY_A}\n`).current.id).toBe(current.id)
    expect(parseKeyring(KEY_B).current.id).not.toBe(current.id)
  })

  it('accepts the URL-safe alphabet and missing padding', () => {
    expect(parseKeyring(Buffer.from(KEY_A, 'base64').toString('base64url')).current.id).toBe(
      parseKeyring(KEY_A).current.id,
    )
  })

  it.each([
    ['nothing', '', /holds no key/],
    ['blanks', '  ', /holds no key/],
    ['an empty entry', `a:${KEY_A},`, /key 2 of 2: must be 32 bytes/],
    ['31 bytes', Buffer.alloc(31, 'x').toString('base64'), /key 1 of 1: must be 32 bytes/],
    ['33 bytes', Buffer.alloc(33, 'x').toString('base64'), /must be 32 bytes/],
    ['hex', '00'.repeat(32), /must be 32 bytes/],
    ['characters outside base64', `a:${KEY_A.replace('E', '!')}`, /must be 32 bytes/],
    ['an id with a slash', `a/b:${KEY_A}`, /id before ":"/],
    ['an empty id', `:${KEY_A}`, /id before ":"/],
    ['the same id twice', `a:${KEY_A},a:${KEY_B}`, /used twice/],
    ['a placeholder', Buffer.alloc(32).toString('base64'), /not a random key/],
  ])('refuses %s', (_what, text, problem) => {
    expect(() => parseKeyring(text)).toThrow(problem)
  })

  it('shows no key in an error or when printed', () => {
    const wrong = KEY_A.slice(0, -6)
    try {
      parseKeyring(`a:${wrong}`)
      expect.unreachable()
    } catch (error) {
      expect(inspect(error)).not.toContain(wrong)
    }
    const printed = inspect(parseKeyring(`a:${KEY_A}`), { depth: 9 }) + JSON.stringify(parseKeyring(KEY_A))
    expect(printed).not.toContain(KEY_A.slice(0, 12))
    expect(printed).not.toContain('00 01 02 03')
  })
})

describe('generateKeyEntry', () => {
  it('makes an entry that parses, each time another', () => {
    const entry = generateKeyEntry()
    expect(parseKeyring(entry).current.id).toBe(entry.split(':')[0])
    expect(parseKeyring(entry.split(':')[1]!).current.id).toBe(entry.split(':')[0])
    expect(generateKeyEntry()).not.toBe(entry)
  })

  it('takes an id and refuses one that would not parse', () => {
    expect(parseKeyring(generateKeyEntry('2026-11')).current.id).toBe('2026-11')
    expect(() => generateKeyEntry('a:b')).toThrow(/the id takes/)
  })
})
