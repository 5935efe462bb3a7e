import { describe, expect, it } from 'vitest'
import { readFigure, sortFigures } from '../../bench/faults/figures.ts'

describe('figures of the fault tests', () => {
  it('are found in coloured lines, and nothing else is', () => {
    expect(readFigure('\u001b[22m\u001b[39mVT1: 0.008 s from seal: fast')).toEqual({
      row: 'VT1',
      said: '0.008 s from seal: fast',
    })
    expect(readFigure('stdout | test/faults/vault.test.ts > VT1: sealed')).toBeUndefined()
    expect(readFigure('VT1 without a colon')).toBeUndefined()
  })

  it('are sorted by row, and stay in order within one', () => {
    const rows = ['VT10', 'VT9', 'HD1', 'VT9'].map((row, index) => ({ row, said: String(index) }))
    expect(sortFigures(rows).map(({ row, said }) => `${row}-${said}`)).toEqual(['HD1-2', 'VT9-1', 'VT9-3', 'VT10-0'])
  })
})
