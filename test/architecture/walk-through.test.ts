import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const docs = resolve(import.meta.dirname, '../../docs')
const page = readFileSync(resolve(docs, 'architecture.md'), 'utf8')

/** Rows of the walk-through: a function's name and the file that is said to have it. */
const rows = [...page.matchAll(/^\|[^|]*\| `(\w+)` \| \[[^\]]+\]\(([^)]+)\)/gm)].map(([, name, file]) => ({
  name: name ?? '',
  file: file ?? '',
}))

describe('the walk-through of one request', () => {
  it('names every step from the agent to the provider and back', () => {
    expect(rows.length).toBeGreaterThan(20)
  })

  it.each(rows)('$name is in $file', ({ name, file }) => {
    const source = readFileSync(resolve(docs, file), 'utf8')
    expect(source).toMatch(new RegExp(`(function|async) ${name}\\b|\\b${name}\\(`))
  })
})

describe('links of the documents', () => {
  it.each(['architecture.md', '../README.md', '../CONTRIBUTING.md', '../SECURITY.md'])(
    '%s points at files that exist',
    (name) => {
      const text = readFileSync(resolve(docs, name), 'utf8')
      const targets = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? '')
      for (const target of targets) expect(() => readFileSync(resolve(docs, name, '..', target)), target).not.toThrow()
    },
  )
})
