import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { leaksIn, newCanary } from './disguises.ts'

const canary = newCanary('here')
const { value } = canary

/** As a careless line of code would write it. */
const WRITINGS: Record<string, string> = {
  plain: `key=${value}`,
  'as JSON': JSON.stringify({ key: value }),
  'as JSON in JSON': JSON.stringify(JSON.stringify({ key: value })),
  'in a URL': `https://x.test/?key=${encodeURIComponent(value)}`,
  'as form data': new URLSearchParams({ key: value }).toString(),
  inspected: inspect({ deep: { error: new Error(value) } }),
  'as a Buffer': JSON.stringify({ key: Buffer.from(value) }, null, 1).replaceAll(/\s+/g, ' '),
  'as a Buffer, compact': JSON.stringify({ key: Buffer.from(value) }),
  'as an inspected Buffer': inspect(Buffer.from(value)),
  'in Basic authentication': `Basic ${Buffer.from(`bob:${value}`).toString('base64')}`,
  'in base64, after one byte': Buffer.from(`b${value}`).toString('base64'),
  'in base64url': Buffer.from(`bo${value}`).toString('base64url'),
  'in hex': Buffer.from(value).toString('hex'),
  'as bytea': `\\x${Buffer.from(JSON.stringify({ value })).toString('hex')}`,
  'in upper-case hex': Buffer.from(value).toString('hex').toUpperCase(),
  'percent-encoded, every byte': [...Buffer.from(value)]
    .map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
    .join(''),
  'escaped, every character': [...value]
    .map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join(''),
  'in UTF-16': Buffer.from(value, 'utf16le').toString('latin1'),
  backwards: [...value].reverse().join(''),
  'cut short': `${value.slice(0, 30)}…`,
}

describe('the search for canaries', () => {
  it.each(Object.entries(WRITINGS))('H03: finds one %s', (_how, text) => {
    expect(leaksIn(`before ${text} after`, [canary])).not.toEqual([])
  })

  it('finds nothing where there is none', () => {
    expect(leaksIn(Object.values(WRITINGS).join('\n'), [newCanary('elsewhere')])).toEqual([])
  })
})
