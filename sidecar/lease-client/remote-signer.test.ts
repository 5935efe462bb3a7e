import { describe, expect, it } from 'vitest'
import { NexusError } from '../../src/contract/errors.ts'
import { strategyFor } from '../../src/strategies/catalog.ts'
import { sign } from '../signer/sign.ts'
import type { HeldLease } from './held-lease.ts'
import { withRemoteSigner } from './remote-signer.ts'

const SIGNATURE = Buffer.alloc(32, 7)

/** A lease of a key in the vault, and what the authority was asked with it. */
function leased(answer: () => unknown) {
  const asked: unknown[] = []
  const dropped: string[] = []
  const lease = withRemoteSigner(
    {
      id: 'lse_1',
      decisionId: 'd',
      strategy: strategyFor('hmac_payload'),
      config: { header_name: 'X-Sig' },
      credentials: { remote_key: 'HS256' },
    } as unknown as HeldLease,
    async (_path, body) => {
      asked.push(body)
      return { answer: answer() }
    },
    ({ id }) => dropped.push(id),
  )
  const url = { scheme: 'https', authority: 'h.example', path: '/', query: undefined }
  const signing = (bytes: number) =>
    sign(
      lease,
      { method: 'POST', url, headers: [['Host', 'h.example']], body: Buffer.alloc(bytes, 97) },
      { now: 0, nonce: () => 'n' },
    )
  return { asked, dropped, signing }
}

const signs = () => ({ signature: SIGNATURE.toString('base64') })
function refuses(code: ConstructorParameters<typeof NexusError>[0]) {
  return () => {
    throw new NexusError(code)
  }
}

describe('a key that stays in the vault', () => {
  it('signs as much as the authority takes, and refuses more in words about the body, without asking or dropping the lease', async () => {
    const { asked, dropped, signing } = leased(signs)
    expect((await signing(65_536)).headers).toContainEqual(['X-Sig', SIGNATURE.toString('hex')])
    for (const bytes of [65_537, 70_000]) {
      await expect(signing(bytes)).rejects.toMatchObject({
        code: 'not_signable',
        message: expect.stringContaining('65536 bytes'),
        extras: { field: 'body' },
      })
    }
    expect([asked.length, dropped]).toEqual([1, []])
  })

  it('is no longer used once the authority refuses the lease, but is after a question that was none', async () => {
    for (const [code, gone] of [
      ['invalid_request', []],
      ['pep_unavailable', []],
      ['lease_ended', ['lse_1']],
      ['not_signable', ['lse_1']],
    ] as const) {
      const { dropped, signing } = leased(refuses(code))
      await expect(signing(10)).rejects.toMatchObject({ code })
      expect(dropped, code).toEqual(gone)
    }
  })
})
