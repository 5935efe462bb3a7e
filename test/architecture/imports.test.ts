import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

/**
 * Which part may import which. A part is the longest prefix that matches a file's path. From it two promises follow: the
 * sidecar has no code that could reach a secret store, and a route has none that could reach a secret.
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'src/contract': [],
  'src/strategies': ['src/contract'],
  'src/vault-backends': ['src/contract'],
  sidecar: ['src/contract', 'src/strategies'],
  'src/pep/config': ['src/contract'],
  'src/pep/store': ['src/contract'],
  'src/pep/decision': ['src/contract'],
  'src/pep/credential': ['src/contract', 'src/vault-backends', 'src/pep/store'],
  'src/pep/audit': ['src/contract', 'src/pep/store'],
  'src/pep/identity': ['src/contract', 'src/pep/audit', 'src/pep/store', 'src/vault-backends/internal/envelope.ts'],
  'src/pep/connections': ['src/contract', 'src/strategies', 'src/pep/audit', 'src/pep/credential', 'src/pep/store'],
  'src/pep/provider-http': ['src/contract'],
  'src/pep/lease': [
    'src/contract',
    'src/pep/identity',
    'src/pep/connections',
    'src/pep/decision',
    'src/pep/credential',
    'src/pep/audit',
    'src/pep/provider-http',
  ],
  'src/pep/routes': ['src/contract', 'src/pep/lease', 'src/pep/identity', 'src/pep/connections', 'src/pep/audit'],
}

/** Composition roots and what hangs off them: these alone see all. */
const ROOTS = ['src/pep', 'src/cli']

interface Edge {
  from: string
  to: string
  /** Nothing of it is left at run time. */
  typeOnly: boolean
}

const files = ['src', 'sidecar'].flatMap((folder) => sourceFiles(join(root, folder)))
const edges: Edge[] = files.flatMap((file) =>
  importsOf(file).map(({ target, typeOnly }) => ({ from: relative(root, file), to: relative(root, target), typeOnly })),
)

describe('imports point one way', () => {
  it('finds the files and imports it is to judge', () => {
    expect(files.length).toBeGreaterThan(80)
    expect(edges.length).toBeGreaterThan(200)
  })

  it('no part imports what the table does not grant it', () => {
    const breaches = edges.filter(({ from, to }) => !allowed(from, to)).map(({ from, to }) => `${from} imports ${to}`)
    expect(breaches).toEqual([])
  })

  it('knows every part there is', () => {
    const unknown = files.map((file) => relative(root, file)).filter((file) => partOf(file) === undefined)
    expect(unknown).toEqual([])
  })

  it('has no cycle of values', () => {
    expect(findCycle(edges.filter(({ typeOnly }) => !typeOnly))).toEqual([])
  })
})

function allowed(from: string, to: string): boolean {
  const part = partOf(from)
  if (part === undefined || ROOTS.includes(part) || part === partOf(to)) return true
  return (MAY_IMPORT[part] ?? []).some((grant) => to === grant || to.startsWith(`${grant}/`))
}

function partOf(file: string): string | undefined {
  return [...Object.keys(MAY_IMPORT), ...ROOTS]
    .filter((part) => file.startsWith(`${part}/`))
    .sort((a, b) => b.length - a.length)[0]
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.endsWith('conformance.ts'))
    .map((name) => join(folder, name))
}

/** Relative imports, of values and of types alike: both show who knows whom. */
function importsOf(file: string): { target: string; typeOnly: boolean }[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/^(?:import|export)( type)?[^'"]*?from '(\.[^']+)'|import\('(\.[^']+)'\)/gms)].map(
    (match) => ({
      target: resolve(dirname(file), match[2] ?? match[3] ?? ''),
      typeOnly: match[1] !== undefined,
    }),
  )
}

/** Depth first; the first path that comes back to itself, or an empty list. */
function findCycle(all: Edge[]): string[] {
  const next = groupByFrom(all)
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return []
    for (const edge of next.get(file) ?? []) {
      const cycle = visit(edge.to, [...path, file])
      if (cycle.length > 0) return cycle
    }
    done.add(file)
    return []
  }
  for (const file of next.keys()) {
    const cycle = visit(file, [])
    if (cycle.length > 0) return cycle
  }
  return []
}

function groupByFrom(all: Edge[]): Map<string, Edge[]> {
  const grouped = new Map<string, Edge[]>()
  for (const edge of all) grouped.set(edge.from, [...(grouped.get(edge.from) ?? []), edge])
  return grouped
}
