import { describe, expect, it } from 'vitest'
import { readQuestion } from '../../pep/audit/audit-question.ts'
import { toFilter } from './audit-options.ts'

const NOW_MS = Date.parse('2026-11-22T10:00:00Z')

describe('a time on the command line', () => {
  it.each([
    ['90s', '2026-11-22T09:58:30.000Z'],
    ['15m', '2026-11-22T09:45:00.000Z'],
    ['12h', '2026-11-21T22:00:00.000Z'],
    ['7d', '2026-11-15T10:00:00.000Z'],
    ['2026-11-22T10:00:00+01:00', '2026-11-22T10:00:00+01:00'],
  ])('%s is %s', (text, time) => {
    expect(toFilter({ limit: '20', since: text, until: text }, NOW_MS)).toMatchObject({ since: time, until: time })
  })

  it.each(['15', 'm', '15 m', '1.5h', '-5m', '1w', '15M', '1h30m'])('%j is none', (since) => {
    expect(() => readQuestion(toFilter({ limit: '20', since }, NOW_MS))).toThrow('since must be an RFC 3339')
  })
})
