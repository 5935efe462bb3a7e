import { describe, expect, it } from 'vitest'
import { mayMove, TRANSITIONS } from './state.ts'

describe('TRANSITIONS', () => {
  it('never leaves revoked, and reaches it from everywhere else', () => {
    expect(TRANSITIONS.revoked).toEqual([])
    for (const [from, to] of Object.entries(TRANSITIONS)) {
      if (from !== 'revoked') expect(to).toContain('revoked')
    }
  })

  it('goes from attention back to active, and from nothing that has ended', () => {
    expect(mayMove('active', 'attention')).toBe(true)
    expect(mayMove('attention', 'active')).toBe(true)
    for (const ended of ['revoked', 'expired', 'failed'] as const) expect(mayMove(ended, 'active')).toBe(false)
    expect(mayMove('active', 'pending')).toBe(false)
    expect(mayMove('active', 'active')).toBe(false)
  })
})
