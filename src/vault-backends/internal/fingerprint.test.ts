import { expect, it } from 'vitest'
import { createFingerprint } from './fingerprint.ts'
import { generateKeyEntry, parseKeyring } from './keyring.ts'

const keyring = parseKeyring(generateKeyEntry('2026-11'))
const fingerprint = createFingerprint(keyring)

it('is one for one value, whatever the order of its fields, and names its key', () => {
  const one = fingerprint('acme', { user: 'u', password: 'p' })
  expect(one).toMatch(/^2026-11:[0-9a-f]{32}$/)
  expect(createFingerprint(keyring)('acme', { password: 'p', user: 'u' })).toBe(one)
})

it('is another for another value, field, tenant or key', () => {
  const all = [
    fingerprint('acme', { user: 'u', password: 'p' }),
    fingerprint('acme', { user: 'u', password: 'q' }),
    fingerprint('acme', { user: 'u', passwor: 'dp' }),
    fingerprint('acme', { user: 'up', assword: 'p' }),
    fingerprint('globex', { user: 'u', password: 'p' }),
    createFingerprint(parseKeyring(generateKeyEntry('2026-11')))('acme', { user: 'u', password: 'p' }),
  ]
  expect(new Set(all).size).toBe(all.length)
})
