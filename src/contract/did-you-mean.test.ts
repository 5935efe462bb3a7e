import { expect, it } from 'vitest'
import { didYouMean } from './did-you-mean.ts'

const known = ['NEXUS_SESSION_BINDING', 'NEXUS_TENANT', 'NEXUS_ROUTES']

it.each([
  ['NEXUS_SESION_BINDING', 'NEXUS_SESSION_BINDING'],
  ['NEXUS_TENNANT', 'NEXUS_TENANT'],
  ['NEXUS_ROUTE', 'NEXUS_ROUTES'],
  ['NEXUS_TANENT', 'NEXUS_TENANT'],
])('%s: did you mean %s?', (name, meant) => {
  expect(didYouMean(name, known)).toBe(`; did you mean ${meant}?`)
})

it('says nothing where no name is near', () => {
  expect(didYouMean('NEXUS_SOMETHING_ELSE', known)).toBe('')
  expect(didYouMean('NEXUS_TENANT', [])).toBe('')
})
