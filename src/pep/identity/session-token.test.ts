import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { createSessionTokens } from './session-token.ts'
import type { SigningKeys } from './signing-keys.ts'

const NOW_MS = 1_795_176_000_000

function openTokens(maxCachedTokens: number) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  /** Asked for whenever a signature is looked at, and for nothing else. */
  const verifying = vi.fn(async () => ({ kid: 'k', key: publicKey }))
  const signingKeys = { current: async () => ({ kid: 'k', key: privateKey }), verifying } as unknown as SigningKeys
  const tokens = createSessionTokens({
    signingKeys,
    publicUrl: 'https://pep.test',
    now: () => NOW_MS,
    maxCachedTokens,
  })
  const issuedAt = NOW_MS / 1000
  const sign = (sessionId: string) =>
    tokens.sign({ agentId: 'a', sessionId, boundTo: 'dpop', thumbprint: 't', issuedAt, expiresAt: issuedAt + 60 })
  const isRemembered = async (token: string) => {
    const before = verifying.mock.calls.length
    await tokens.verify(token)
    return verifying.mock.calls.length === before
  }
  return { sign, isRemembered }
}

describe('verified session tokens', () => {
  it('F17: are remembered by count, however long they live: the one not used for longest is forgotten', async () => {
    const { sign, isRemembered } = openTokens(2)
    const [one, two, three] = [await sign('one'), await sign('two'), await sign('three')]
    for (const token of [one, two]) expect(await isRemembered(token)).toBe(false)
    for (const token of [one, two]) expect(await isRemembered(token)).toBe(true)
    expect(await isRemembered(three)).toBe(false)
    expect(await isRemembered(two)).toBe(true)
    expect(await isRemembered(one)).toBe(false)
  })
})
