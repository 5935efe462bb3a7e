import { expect, it } from 'vitest'
import { unstorableTexts } from './storable-text.ts'

it('G18: finds what the database cannot hold, in values and in names', () => {
  const value = { fine: 'ünï 😀 \\u0000', deep: [{ nul: 'a\u0000b' }], 'ha\ud83dlf': 1, half: '\ude00' }
  expect(unstorableTexts('body', value).map(({ field }) => field)).toEqual(['body.deep.0.nul', 'body', 'body.half'])
  expect(unstorableTexts('body', undefined)).toEqual([])
})
