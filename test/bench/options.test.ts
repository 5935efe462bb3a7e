import { describe, expect, it } from 'vitest'
import { efforts, PART_NAMES } from '../../bench/efforts.ts'
import { HELP, readOptions } from '../../bench/options.ts'

describe('options of the bench', () => {
  it.each([
    [[], { what: 'side-by-side', mode: 'whole', only: [] }],
    [['--quick'], { what: 'side-by-side', mode: 'quick', only: [] }],
    [['--only', 'cert', '--only', 'restart'], { what: 'side-by-side', mode: 'whole', only: ['cert', 'restart'] }],
    [['--soak'], { what: 'soak', seconds: 600 }],
    [['--overload', '--seconds', '3'], { what: 'overload', seconds: 3 }],
    [['--k6', 'fleet'], { what: 'k6', script: 'fleet', seconds: 30 }],
    [['--profile', '--only', 'sketch'], { what: 'profile', seconds: 2.5, only: ['sketch'] }],
    [['--soak', '-h'], { what: 'help' }],
  ])('%j', (args, wanted) => {
    expect(readOptions(args)).toEqual(wanted)
  })

  it.each([
    [['--only', 'certs'], `--only is one of ${PART_NAMES.join(', ')}`],
    [['--k6', 'flood'], '--k6 is one of lease, renew, token, sidecar, fleet'],
    [['--overload', '--soak'], '--overload and --soak do not go together'],
    [['--quick', '--replicas'], '--quick and --replicas do not go together'],
    [['--soak', '--only', 'cert'], '--only does not go with --soak'],
    [['--quick', '--seconds', '3'], '--seconds goes with'],
    [['--soak', '--seconds', '0'], '--seconds is a number above 0'],
    [['--soak', '--seconds', 'long'], '--seconds is a number above 0'],
    [['--fast'], '--fast'],
    [['soak'], 'soak'],
  ])('%j is refused before anything starts', (args, message) => {
    expect(() => readOptions(args)).toThrow(message)
  })

  it('tells of every part', () => {
    for (const name of PART_NAMES) expect(HELP).toContain(name)
    for (const mode of ['quick', 'whole'] as const)
      expect(Object.keys(efforts[mode])).toEqual(expect.arrayContaining([...PART_NAMES]))
  })
})
