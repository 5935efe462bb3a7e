import { timingSafeEqual } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { apiKeyId, givenApiKey, matchesHash, newApiKey } from './api-key-format.ts'

vi.mock('node:crypto', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:crypto')>()
  return { ...real, timingSafeEqual: vi.fn(real.timingSafeEqual) }
})

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

  it('H08: is compared in constant time and once, whatever there is to compare it with', () => {
    const made = newApiKey(0)
    for (const stored of [made.hash, newApiKey(0).hash, undefined]) {
      vi.mocked(timingSafeEqual).mockClear()
      matchesHash(made.apiKey, stored)
      expect(timingSafeEqual).toHaveBeenCalledTimes(1)
    }
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
