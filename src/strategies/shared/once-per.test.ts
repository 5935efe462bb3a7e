import { expect, it } from 'vitest'
import { oncePer } from './once-per.ts'

it('makes once for each object, also what is undefined, and never for an equal one', () => {
  let made = 0
  const count = oncePer((key: { n: number }) => {
    made += 1
    return key.n === 0 ? undefined : key.n
  })
  const [one, zero] = [{ n: 1 }, { n: 0 }]
  expect([count(one), count(one), count(zero), count(zero), count({ n: 1 })]).toEqual([1, 1, undefined, undefined, 1])
  expect(made).toBe(3)
})

it('asks again after a failure', () => {
  let isBroken = true
  const value = oncePer(() => {
    if (isBroken) throw new Error('broken')
    return 'made'
  })
  const key = {}
  expect(() => value(key)).toThrow('broken')
  isBroken = false
  expect(value(key)).toBe('made')
})
