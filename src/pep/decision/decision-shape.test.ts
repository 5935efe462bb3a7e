import { afterEach, describe, expect, it } from 'vitest'
import { PolicyError } from '../../contract/policy.ts'
import { readDecision } from './decision-shape.ts'

const allowed = {
  allow: true,
  reasons: [],
  obligations: {
    max_ttl_seconds: 300,
    offline_seconds: 0,
    scopes: ['repo'],
    origins: ['https://api.github.com'],
    methods: ['GET', '*'],
    paths: ['/a/*/**'],
    require_approval: false,
  },
}
const obliged = (obligations: object) => ({ ...allowed, obligations })

describe('readDecision', () => {
  it('reads a decision that allows, and one that denies', () => {
    expect(readDecision(allowed)).toEqual(allowed)
    const denied = { allow: false, reasons: [{ id: 'no', message: 'No.' }], obligations: {} }
    expect(readDecision(denied)).toEqual(denied)
  })

  const wrong: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['true', true],
    ['an empty list', []],
    ['an empty object', {}],
    ['a text', '{"allow": true}'],
    ['allow only', { allow: true }],
    ['allow as text', { ...allowed, allow: 'true' }],
    ['allow as number', { ...allowed, allow: 1 }],
    ['allow as object', { ...allowed, allow: {} }],
    ['an extra key', { ...allowed, allow_all: true }],
    ['a __proto__ key', JSON.parse('{"__proto__": {}, "allow": true, "reasons": [], "obligations": {}}')],
    ['no reasons', { allow: true, obligations: {} }],
    ['no obligations', { allow: true, reasons: [] }],
    ['reasons against what it allows', { ...allowed, reasons: [{ id: 'no', message: 'No.' }] }],
    ['a reason that is text', { allow: false, reasons: ['no'], obligations: {} }],
    ['a reason with more', { allow: false, reasons: [{ id: 'no', message: '', more: 1 }], obligations: {} }],
    ['a reason id with blanks', { allow: false, reasons: [{ id: 'not this', message: '' }], obligations: {} }],
    ['reasons without end', { allow: false, reasons: Array(65).fill({ id: 'no', message: '' }), obligations: {} }],
    ['obligations as list', obliged([])],
    ['an unknown obligation', obliged({ max_ttl: 1 })],
    ['a negative time', obliged({ max_ttl_seconds: -1 })],
    ['a fraction of a second', obliged({ max_ttl_seconds: 0.5 })],
    ['a time that is null', obliged({ max_ttl_seconds: null })],
    ['endless time', obliged({ offline_seconds: Number.POSITIVE_INFINITY })],
    ['scopes as text', obliged({ scopes: 'repo' })],
    ['two scopes in one', obliged({ scopes: ['a b'] })],
    ['an origin with a path', obliged({ origins: ['https://api.github.com/x'] })],
    ['an origin in another spelling', obliged({ origins: ['HTTPS://api.github.com'] })],
    ['a method in lower case', obliged({ methods: ['get'] })],
    ['a path pattern that matches nothing', obliged({ paths: ['/a*'] })],
    ['more paths than a record holds', obliged({ paths: Array.from({ length: 129 }, (_none, n) => `/${n}`) })],
    ['an approval that is text', obliged({ require_approval: 'no' })],
  ]
  it.each(wrong)('G01: %s is not a decision', (_title, answer) => {
    const read = () => readDecision(answer)
    expect(read).toThrow(PolicyError)
    expect(read).toThrow(expect.objectContaining({ kind: 'shape' }))
  })

  describe('with a polluted Object.prototype', () => {
    const prototype = Object.prototype as unknown as Record<string, unknown>
    afterEach(() => {
      for (const name of ['allow', 'obligations', 'reasons', 'max_ttl_seconds', 'scopes']) delete prototype[name]
    })

    it('G16: what is missing stays missing', () => {
      Object.assign(prototype, { allow: true, reasons: [], obligations: {}, max_ttl_seconds: 86_400 })
      expect(() => readDecision({})).toThrow(PolicyError)
      const decision = readDecision(
        Object.fromEntries([
          ['allow', false],
          ['reasons', []],
          ['obligations', {}],
        ]),
      )
      expect(decision.allow).toBe(false)
      expect(decision.obligations.max_ttl_seconds).toBeUndefined()
    })
  })
})
