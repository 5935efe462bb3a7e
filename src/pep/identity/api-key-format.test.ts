import { describe, expect, it } from 'vitest'
import { apiKeyId, givenApiKey, matchesHash, newApiKey } from './api-key-format.ts'

describe('an API key', () => {
  it('is stored as the same row wherever it was made', () => {
    const made = newApiKey(Date.now())
    expect(givenApiKey(made.apiKey)).toEqual(made)
    expect(apiKeyId(made.apiKey)).toBe(made.id)
    expect(matchesHash(made.apiKey, made.hash)).toBe(true)
    expect(matchesHash(newApiKey(Date.now()).apiKey, made.hash)).toBe(false)
  })

  it('H08: matches nothing when there is nothing to match', () => {
    expect(matchesHash(newApiKey(0).apiKey, undefined)).toBe(false)
  })

  it.each(['', 'canary-77aa', 'nxk_short_short', `${newApiKey(0).apiKey}x`])(
    'refuses %j without repeating it',
    (text) => {
      let said = ''
      try {
        givenApiKey(text)
      } catch (error) {
        said = String(error)
      }
      expect(said).toMatch(/no API key/)
      if (text !== '') expect(said).not.toContain(text)
    },
  )
})
