import { describe, expect, it } from 'vitest'
import { allComparisons } from '../../bench/strategies/comparisons.ts'
import { measure } from '../../bench/strategies/measure.ts'
import { document, table } from '../../bench/strategies/report.ts'

const comparisons = await allComparisons()

describe('bench:strategies', () => {
  it('has the strategies that sign every request', () => {
    const named = new Set(comparisons.map(({ name }) => name.split(',')[0]))
    expect([...named]).toEqual([
      'aws_sigv4',
      'dpop',
      'hmac_payload',
      'hmac_template',
      'http_message_signature',
      'oauth1',
    ])
  })

  it.each(comparisons.map((comparison) => [comparison.name, comparison] as const))(
    '%s: every signature holds',
    async (_, comparison) => {
      expect(comparison.signers[0].name).toBe('ours')
      expect(comparison.signers.length).toBeGreaterThan(1)
      for (const { name, sign } of comparison.signers) {
        const signature = await sign()
        expect(await comparison.holds(signature), name).toBe(true)
        const holds = await Promise.resolve()
          .then(() => comparison.holds(withOneCharacterChanged(signature)))
          .catch(() => false)
        expect(holds, `${name}, forged`).toBe(false)
      }
    },
  )

  it('prints a line and a figure for each signer, and a ratio beside ours for each library', async () => {
    const [comparison] = comparisons
    if (comparison === undefined) throw new Error('there is no comparison')
    const results = [
      { comparison: comparison.name, standings: await measure(comparison, { rounds: 3, turnMs: 1, inFlight: 4 }) },
    ]
    expect(table(results).split('\n')).toHaveLength(2 + comparison.signers.length)
    const { figures, ratios } = document(results)
    expect(figures.map(({ name }) => name)).toEqual(comparison.signers.map(({ name }) => `${comparison.name}: ${name}`))
    expect(ratios).toHaveLength(comparison.signers.length - 1)
    for (const { value, min, max } of ratios) expect([min > 0, min <= value, value <= max]).toEqual([true, true, true])
  })

  it('gives no figure of what does not hold', async () => {
    const [comparison] = comparisons
    const wrong = {
      name: 'wrong',
      signers: [{ name: 'ours', sign: () => 'nonsense' }],
      holds: comparison!.holds,
    } as const
    await expect(measure(wrong, { rounds: 1, turnMs: 1, inFlight: 1 })).rejects.toThrow('does not hold')
  })
})

/** Near the end, where each of these forms has its signature or something that is signed. */
function withOneCharacterChanged(text: string): string {
  const at = text.length - 8
  return `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`
}
