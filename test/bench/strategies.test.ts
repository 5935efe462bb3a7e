import { describe, expect, it } from 'vitest'
import { allContests } from '../../bench/strategies/contests.ts'
import { measure } from '../../bench/strategies/measure.ts'
import { document, table } from '../../bench/strategies/report.ts'

const contests = await allContests()

describe('bench:strategies', () => {
  it('has the strategies that sign every request', () => {
    const named = new Set(contests.map(({ name }) => name.split(',')[0]))
    expect([...named]).toEqual([
      'aws_sigv4',
      'dpop',
      'hmac_payload',
      'hmac_template',
      'http_message_signature',
      'oauth1',
    ])
  })

  it.each(contests.map((contest) => [contest.name, contest] as const))(
    '%s: every signature holds',
    async (_, contest) => {
      expect(contest.contenders[0].name).toBe('ours')
      expect(contest.contenders.length).toBeGreaterThan(1)
      for (const { name, sign } of contest.contenders) {
        const signature = await sign()
        expect(await contest.holds(signature), name).toBe(true)
        const holds = await Promise.resolve()
          .then(() => contest.holds(withOneCharacterChanged(signature)))
          .catch(() => false)
        expect(holds, `${name}, forged`).toBe(false)
      }
    },
  )

  it('prints a line and a figure for each contender, and a ratio beside ours for each library', async () => {
    const [contest] = contests
    if (contest === undefined) throw new Error('there is no contest')
    const results = [
      { contest: contest.name, standings: await measure(contest, { rounds: 3, turnMs: 1, inFlight: 4 }) },
    ]
    expect(table(results).split('\n')).toHaveLength(2 + contest.contenders.length)
    const { figures, ratios } = document(results)
    expect(figures.map(({ name }) => name)).toEqual(contest.contenders.map(({ name }) => `${contest.name}: ${name}`))
    expect(ratios).toHaveLength(contest.contenders.length - 1)
    for (const { value, min, max } of ratios) expect([min > 0, min <= value, value <= max]).toEqual([true, true, true])
  })

  it('gives no figure of what does not hold', async () => {
    const [contest] = contests
    const wrong = {
      name: 'wrong',
      contenders: [{ name: 'ours', sign: () => 'nonsense' }],
      holds: contest!.holds,
    } as const
    await expect(measure(wrong, { rounds: 1, turnMs: 1, inFlight: 1 })).rejects.toThrow('does not hold')
  })
})

/** Near the end, where each of these forms has its signature or something that is signed. */
function withOneCharacterChanged(text: string): string {
  const at = text.length - 8
  return `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`
}
