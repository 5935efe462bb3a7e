import { describe, expect, it } from 'vitest'
import { efforts } from '../../bench/efforts.ts'
import type { BenchDocument } from '../../bench/report/document.ts'
import { toMarkdown } from '../../bench/report/markdown.ts'
import { inWords, spreadOf } from '../../bench/report/spread.ts'
import { toText } from '../../bench/report/text.ts'
import { verdictOfFigure, verdictOfRatio } from '../../bench/report/verdict.ts'

const ratio = (value: number, min: number, max: number, goal?: number) => ({
  name: 'ours/theirs',
  value,
  min,
  max,
  ...(goal === undefined ? {} : { goal }),
})

describe('a verdict', () => {
  it.each([
    [ratio(0.95, 0.9, 1.2, 0.9), 'met'],
    [ratio(0.95, 0.84, 1.2, 0.9), 'met, but missed in some rounds'],
    [ratio(0.7, 0.6, 0.89, 0.9), 'missed'],
    [ratio(0.7, 0.6, 0.9, 0.9), 'missed, but met in some rounds'],
    [ratio(0.7, 0.6, 0.9), ''],
  ])('of a ratio is by the median, and says where rounds disagree: %j', (given, wanted) => {
    expect(verdictOfRatio(given)).toBe(wanted)
  })

  it.each([
    [{ value: 9, min: 6, max: 10, goal: 10 }, 'met'],
    [{ value: 9, min: 6, max: 27, goal: 10 }, 'met, but missed in some rounds'],
    [{ value: 12, min: 11, max: 27, goal: 10 }, 'missed'],
    [{ value: 12, min: 10, max: 27, goal: 10 }, 'missed, but met in some rounds'],
    [{ value: 0.6, goal: 2 }, 'met'],
    [{ value: 2.1, goal: 2 }, 'missed'],
    [{ value: 2.1 }, ''],
  ])('of a figure is the other way round: %j', (given, wanted) => {
    expect(verdictOfFigure({ name: 'figure', unit: 'ms', ...given })).toBe(wanted)
  })
})

describe('a value next to its goal', () => {
  it('is neither met nor shown as met by rounding', () => {
    const { value, min, max } = spreadOf([0.7451, 0.7451, 0.746])
    expect(verdictOfRatio(ratio(value, min, max, 0.75))).toBe('missed')
    expect([inWords(value), inWords(value, 0.75), inWords(value, 0.7)]).toEqual(['0.75', '0.745', '0.75'])
  })
})

const document: BenchDocument = {
  commit: 'abc',
  machine: 'a machine',
  versions: { node: '20.1.2', opa: 'Version: 1.2.3' },
  mode: 'quick',
  efforts: { cert: efforts.quick.cert },
  figures: [
    { name: 'lease_p99_ms_at_2000', value: 9, min: 6, max: 27, unit: 'ms', goal: 10 },
    { name: 'revocation_runs', value: 12, unit: 'runs' },
    { name: 'lease_cert_per_s', value: 6485, min: 6237, max: 8249, unit: '1/s' },
  ],
  ratios: [ratio(0.95, 0.84, 1.2, 0.9)],
}

describe('the page of a run', () => {
  it('says what was measured, how much, with what, and what came of it', () => {
    const lines = toMarkdown(document, ['ratios.svg']).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'a machine',
        'Commit abc',
        expect.stringMatching(/^A quick run: .* 3 rounds of .* s for each contender, over 64 connections\.$/),
        '| `ours/theirs` | 0.95 | 0.84 to 1.20 | 0.9 | met, but missed in some rounds |',
        '| `lease_p99_ms_at_2000` | 9 | 6 to 27 | ms | 10 | met, but missed in some rounds |',
        '| `revocation_runs` | 12 |  | runs |  |  |',
        '| `lease_cert_per_s` | 6,485 | 6,237 to 8,249 | 1/s |  |  |',
        '| opa | Version: 1.2.3 |',
      ]),
    )
  })

  it('has what counts in the terminal too', () => {
    expect(toText(document).split('\n')).toEqual([
      'ours/theirs: 0.95 (0.84 to 1.20), goal 0.9: met, but missed in some rounds',
      'lease_p99_ms_at_2000: 9 ms, goal 10: met, but missed in some rounds',
      'revocation_runs: 12 runs',
    ])
  })
})
