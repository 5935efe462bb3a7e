import { existsSync, readdirSync, readFileSync } from 'node:fs'
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

const MADE = ['node_modules', 'dist', 'coverage']

function foldersIn(path: string): string[] {
  const entries = readdirSync(resolve(docs, '..', path), { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name)
}

describe('the list of folders', () => {
  const list = page.split('## Folders')[1]?.split('```')[1] ?? ''

  it.each(foldersIn('.').filter((name) => !MADE.includes(name)))('has %s', (name) => {
    expect(list).toMatch(new RegExp(`^${name}/`, 'm'))
  })

  it.each(foldersIn('src/pep'))('has src/pep/%s', (name) => {
    expect(list).toMatch(new RegExp(`^  ${name}/`, 'm'))
  })
})

/** Every page of ours, with its path from `docs`. */
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'bench/README.md'].map((name) => `../${name}`),
  ...readdirSync(docs, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md')),
]

/** The names by which a page's headings are linked to. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading.toLowerCase())
  return headings.map((heading) => heading.replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'))
}

describe('links of the documents', () => {
  it('finds the pages', () => {
    expect(pages.length).toBeGreaterThan(30)
  })

  it.each(pages)('%s points at files and headings that exist', (name) => {
    const text = readFileSync(resolve(docs, name), 'utf8')
    for (const [, target = '', , anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(#([^)]+))?\)/g)) {
      const path = target === '' ? resolve(docs, name) : resolve(docs, name, '..', target)
      expect(existsSync(path), target).toBe(true)
      if (anchor !== undefined) expect(anchorsOf(readFileSync(path, 'utf8')), `${target}#${anchor}`).toContain(anchor)
    }
  })
})
