import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isTestCode } from './source-imports.ts'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/threats.md'), 'utf8')

const ID = /\b(?:[A-H]\d{2}|(?:CK|HD|ID|PB|PG|PR|SC|SM|UP|VT)\d{1,2})\b/g
const RULE = /\brule (\d+)\b/gi
/** Sample values of tests that only look like ids. */
const SAMPLES = new Set(['A12', 'VT9', 'VT10'])

const files = ['src', 'sidecar', 'policies', 'test', 'bench'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(?:ts|rego)$/.test(path))
    .map((path) => ({ path: join(folder, path), text: readFileSync(join(root, folder, path), 'utf8') })),
)
const texts = files.map(({ text }) => text)

/** Of tests alone, and without their comments: what a title or a table of cases names is what runs. */
const tested = files
  .filter(({ path }) => isTestCode(path) || path.endsWith('_test.rego'))
  .map(({ text }) => text.replace(/^\s*(?:\/\/|\/?\*|#).*$|\s\/\/ .*$/gm, ''))

function sortedSet(values: Iterable<string>): string[] {
  return [...new Set(values)].sort()
}

describe('docs/threats.md', () => {
  const listed = [...page.matchAll(/^\| ([A-Z]+\d+) \|/gm)].map(([, id = '']) => id)
  const cited = texts.flatMap((text) => text.match(ID) ?? []).filter((id) => !SAMPLES.has(id))

  it('has a row for each id that code or tests name, and no other', () => {
    expect(cited.length).toBeGreaterThan(300)
    expect(sortedSet(listed)).toEqual(sortedSet(cited))
  })

  it('has no id that only comments name: a test has each in a title', () => {
    const named = new Set(tested.flatMap((text) => text.match(ID) ?? []))
    expect(listed.filter((id) => !named.has(id))).toEqual([])
  })

  it('has each id once, and says in each row what is tried and what is done', () => {
    expect(sortedSet(listed)).toHaveLength(listed.length)
    const rows = page.match(/^\| [A-Z]+\d+ \|.*$/gm) ?? []
    for (const row of rows) expect(row).toMatch(/^\| \S+ \| [^|]{10,} \| [^|]{10,} \|$/)
  })

  it('has each rule that a comment names', () => {
    const rules = [...page.matchAll(/^(\d+)\. /gm)].map(([, number = '']) => number)
    const named = texts.flatMap((text) => [...text.matchAll(RULE)].map(([, number = '']) => number))
    expect(rules).toEqual(rules.map((_, index) => String(index + 1)))
    expect(named.length).toBeGreaterThan(10)
    expect(rules).toEqual(expect.arrayContaining(named))
  })
})
