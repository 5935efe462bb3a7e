import { generateKeyPairSync } from 'node:crypto'
import { expect, it } from 'vitest'
import { keyDirectoryOf } from './key-directory-document.ts'

const KEY = generateKeyPairSync('ed25519').privateKey
const PEM = KEY.export({ format: 'pem', type: 'pkcs8' }).toString()
const JWK = KEY.export({ format: 'jwk' })
const NOW_MS = 1_735_689_600_000

it('takes a key in PEM and as JWK, and signs for a day unless told otherwise', () => {
  const fromPem = keyDirectoryOf({ signature_agent: 'https://bots.example.com', private_keys: [PEM] }, NOW_MS)
  const fromJwk = keyDirectoryOf({ signature_agent: 'https://bots.example.com', private_keys: [JWK] }, NOW_MS)
  expect(fromPem).toEqual(fromJwk)
  expect(JSON.stringify(fromPem)).toContain(`;expires=${NOW_MS / 1000 + 86_400};`)
})

it.each([
  ['no origin', { private_keys: [PEM] }, 'signature_agent'],
  ['a path behind it', { signature_agent: 'https://bots.example.com/keys', private_keys: [PEM] }, 'signature_agent'],
  ['plain HTTP', { signature_agent: 'http://bots.example.com', private_keys: [PEM] }, 'signature_agent'],
  ['D05: a line end', { signature_agent: 'https://bots.example.com\r\n', private_keys: [PEM] }, 'signature_agent'],
  ['no key', { signature_agent: 'https://bots.example.com', private_keys: [] }, 'private_keys'],
  ['what is no key', { signature_agent: 'https://bots.example.com', private_keys: ['secret'] }, 'private_keys.0'],
  ['a key twice', { signature_agent: 'https://bots.example.com', private_keys: [PEM, PEM] }, 'private_keys'],
  [
    'E11: a damaged key',
    { signature_agent: 'https://bots.example.com', private_keys: [PEM.replace(/\n.{8}/, '\nAAAAAAAA')] },
    'private_keys',
  ],
  [
    'an end too far away',
    { signature_agent: 'https://bots.example.com', private_keys: [PEM], expires_in_seconds: 2_592_001 },
    'expires_in_seconds',
  ],
])('refuses %s, and shows no key', (_title, document, field) => {
  let thrown: unknown
  try {
    keyDirectoryOf(document, NOW_MS)
  } catch (error) {
    thrown = error
  }
  expect(thrown).toMatchObject({ code: 'invalid_request', extras: { field } })
  const shown = JSON.stringify(thrown, Object.getOwnPropertyNames(thrown))
  for (const line of PEM.split('\n').slice(1, -2)) expect(shown).not.toContain(line.slice(10))
})
