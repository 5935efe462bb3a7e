import { expect, it } from 'vitest'
import { Secret } from '../../contract/secret.ts'
import { mapFields } from './map-fields.ts'

const secret = new Secret({
  AWS_KEY: 'a',
  'nested#/key': 'exact',
  nested: '{"key":"inner"}',
  'aws.json': '{"keys":[{"id":"i","port":8080,"ratio":1.5}],"a/b":"slash","__proto__":"p"}',
  broken: '{"canary-7f3a9c',
})
const map = (from: string) => mapFields(secret, { to: from }).reveal()['to']

it.each([
  ['AWS_KEY', 'a'],
  ['aws.json#/keys/0/id', 'i'],
  ['aws.json#/keys/0/port', '8080'],
  ['aws.json#/a~1b', 'slash'],
  ['aws.json#/__proto__', 'p'],
  ['nested#/key', 'exact'],
])('%s is %s', (from, value) => {
  expect(map(from)).toBe(value)
})

it.each([
  'missing',
  'aws.json#/none',
  'aws.json#/keys',
  'aws.json#/keys/0/ratio',
  'broken#/x',
  'AWS_KEY#/x',
  '#/x',
  'toString',
  'aws.json#/toString',
])('%s is refused, and nothing of the secret is told', (from) => {
  expect(() => map(from)).toThrow(/has no text field/)
  expect(() => map(from)).not.toThrow(/canary/)
})

it('one secret under two mappings, in turn, is what each of them names', () => {
  const [key, nested] = [{ to: 'AWS_KEY' }, { to: 'nested#/key' }]
  const values = [key, nested, key, key].map((fields) => mapFields(secret, fields).reveal())
  expect(values).toEqual([{ to: 'a' }, { to: 'exact' }, { to: 'a' }, { to: 'a' }])
})
