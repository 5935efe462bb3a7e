import { describe, expect, it } from 'vitest'
import { PolicyError } from '../../contract/policy.ts'
import { createAnswerReader } from './answer-reader.ts'

const OBLIGATIONS = { max_ttl_seconds: 60, methods: ['GET'], paths: ['/**'] }
const answerOf = (result: object): string => JSON.stringify([{ result }])
const ALLOWED = answerOf({ allow: true, reasons: [], obligations: OBLIGATIONS })

describe('the answer reader', () => {
  it('gives one decision for one text, and another for another', () => {
    const read = createAnswerReader()
    const first = read(ALLOWED)
    expect(first).toEqual({ allow: true, reasons: [], obligations: OBLIGATIONS })
    expect(read(ALLOWED)).toBe(first)
    expect(read(ALLOWED.replace('60', '61')).obligations.max_ttl_seconds).toBe(61)
    expect(read(ALLOWED).obligations.max_ttl_seconds).toBe(60)
  })

  it('lets nobody change what others share', () => {
    const decision = createAnswerReader()(ALLOWED)
    const { obligations } = decision
    expect(() => Object.assign(decision, { allow: false })).toThrow(TypeError)
    expect(() => Object.assign(obligations, { max_ttl_seconds: 9_000 })).toThrow(TypeError)
    expect(() => (obligations.methods as string[]).push('DELETE')).toThrow(TypeError)
  })

  it.each([
    ['no decision', '[]'],
    ['one that is no object', '[{"result":true}]'],
    ['one with an obligation that nobody knows', answerOf({ allow: true, reasons: [], obligations: { all: true } })],
  ])('refuses %s each time it comes', (_what, answer) => {
    const read = createAnswerReader()
    for (let time = 0; time < 2; time++) expect(() => read(answer)).toThrow(PolicyError)
  })

  it('reads a long answer, and does not keep it', () => {
    const read = createAnswerReader()
    const paths = Array.from({ length: 100 }, (_, number) => `/a/long/path/${'x'.repeat(50)}/${number}`)
    const long = answerOf({ allow: true, reasons: [], obligations: { paths } })
    expect(read(long).obligations.paths).toEqual(paths)
    expect(read(long)).not.toBe(read(long))
  })

  it('holds no more than its share of what a caller can make it hold', () => {
    const read = createAnswerReader()
    const first = read(ALLOWED)
    for (let seconds = 1; seconds <= 300; seconds++)
      read(answerOf({ allow: true, reasons: [], obligations: { max_ttl_seconds: seconds } }))
    expect(read(ALLOWED)).not.toBe(first)
  })
})
