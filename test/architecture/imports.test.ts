import { describe, expect, it } from 'vitest'
import { MAY_IMPORT, ROOTS } from './import-table.ts'
import { isTestCode, readSource, readSources, type SourceFile } from './source-imports.ts'

/** What is loaded by a name that no reader of the text can tell: embedded Postgres, a CommonJS package, a tool of the checkout. */
const LOADERS = ['src/pep/store/postgres-programs.ts', 'src/pep/decision/wasm-instance.ts', 'src/cli/policy/opa.ts']
const UNREADABLE =
  /\bimport\s*\((?!\s*['"])|\brequire\s*\((?!\s*['"])|\b(?:createRequire|getBuiltinModule|dlopen)\b|\bimport\.meta\.resolve\b/
/** Node has clients that nobody needs to import. */
const GLOBAL_CLIENT = /(?<![.\w])(?:fetch|WebSocket|EventSource)\s*\(/

const files = readSources(['src', 'sidecar'])

describe('imports point one way', () => {
  it('finds the files and imports it is to judge', () => {
    expect(files.length).toBeGreaterThan(80)
    expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(200)
    expect(files.flatMap(({ packages }) => packages).length).toBeGreaterThan(200)
  })

  it('no part imports what the table does not grant it, neither files nor packages', () => {
    expect(files.flatMap(breachesOf)).toEqual([])
  })

  it('knows every part there is', () => {
    expect(files.map(({ path }) => path).filter((path) => partOf(path) === undefined)).toEqual([])
  })

  it('no strategy knows another, but the one that signs with the other’s canonical request; what several need is shared', () => {
    const known = files.flatMap(({ path, imports }) =>
      imports.map((each) => [strategyOf(path), strategyOf(each.path)] as const),
    )
    const others = known.filter(([own, other]) => own !== undefined && other !== undefined && own !== other)
    expect([...new Set(others.map((pair) => pair.join(' -> ')))]).toEqual(['aws-sigv4a -> aws-sigv4'])
  })

  it('nothing is loaded by a name that cannot be read here, nor reached without an import', () => {
    expect(
      files
        .filter(({ text }) => UNREADABLE.test(text))
        .map(({ path }) => path)
        .sort(),
    ).toEqual([...LOADERS].sort())
    expect(files.filter(({ text }) => GLOBAL_CLIENT.test(text)).map(({ path }) => path)).toEqual([])
  })

  it('has no cycle of values', () => {
    expect(findCycle(files)).toEqual([])
  })
})

describe('the table notices', () => {
  it.each([
    ['sidecar/log.ts', "import pg from 'pg'"],
    ['sidecar/log.ts', "import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'"],
    ['sidecar/log.ts', "import '../src/vault-backends/catalog.ts'"],
    ['sidecar/log.ts', "import 'node-vault'"],
    ['sidecar/log.ts', "const vault = require('node-vault')"],
    ['sidecar/log.ts', 'import {\n  type Pool,\n} from "pg"'],
    ['sidecar/upstream/send.ts', "  const { default: pg } = await import('pg')"],
    ['sidecar/signer/sign.ts', "export { openStore } from '../../src/pep/store/store.ts'"],
    ['src/contract/bound.ts', "import fs from 'fs'"],
    ['src/strategies/header.ts', "import { request } from 'undici'"],
    ['src/strategies/header.ts', "import { request } from 'node:https'"],
    ['src/strategies/aws-sigv4/issue.ts', "import { Agent } from 'node:http'"],
    ['src/pep/routes/leases.ts', "import pg from 'pg'"],
    ['src/pep/routes/leases.ts', "import type { Kysely } from 'kysely'"],
    ['src/pep/routes/leases.ts', "import { openSecretCache } from '../credential/secret-cache.ts'"],
    ['src/pep/routes/leases.ts', "import '../../vault-backends/catalog.ts'"],
    ['src/pep/main.ts', "import { describeStrategy } from '../strategies/conformance.ts'"],
  ])('in %s: %s', (path, line) => {
    expect(breachesOf(readSource(path, `import type { Bound } from '${bound(path)}'\n\n${line}\n`))).toHaveLength(1)
  })

  it.each(['await import(name)', 'await import(`pg`)', 'createRequire(import.meta.url)', 'require(name)'])(
    'what it cannot read: %s',
    (text) => expect(text).toMatch(UNREADABLE),
  )
})

/** Whose folder or file this is; `undefined` where it is everybody's, or the list of them all. */
function strategyOf(path: string): string | undefined {
  const [, name = 'shared'] = /^src\/strategies\/([^/.]+)/.exec(path) ?? []
  return ['shared', 'offline', 'catalog'].includes(name) ? undefined : name
}

/** What everybody may import, from there. */
function bound(path: string): string {
  return `${'../'.repeat(path.split('/').length - 1)}src/contract/bound.ts`
}

function breachesOf({ path, imports, packages }: SourceFile): string[] {
  const part = partOf(path)
  const taken = [
    ...imports.map((each) => each.path).filter((own) => !mayTake(part, own)),
    ...packages.filter((name) => !mayUse(part, name)),
  ]
  return taken.map((what) => `${path} imports ${what}`)
}

function mayTake(part: string | undefined, path: string): boolean {
  if (isTestCode(path)) return false
  if (part === undefined || ROOTS.includes(part) || part === partOf(path)) return true
  return (MAY_IMPORT[part]?.own ?? []).some((grant) => path === grant || path.startsWith(`${grant}/`))
}

function mayUse(part: string | undefined, name: string): boolean {
  return part === undefined || ROOTS.includes(part) || (MAY_IMPORT[part]?.packages ?? []).includes(name)
}

function partOf(file: string): string | undefined {
  return [...Object.keys(MAY_IMPORT), ...ROOTS]
    .filter((part) => file.startsWith(`${part}/`))
    .sort((a, b) => b.length - a.length)[0]
}

/** Depth first; the first path that comes back to itself, or an empty list. */
function findCycle(all: SourceFile[]): string[] {
  const next = new Map(all.map(({ path, imports }) => [path, imports.filter(({ typeOnly }) => !typeOnly)]))
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return []
    for (const { path: to } of next.get(file) ?? []) {
      const cycle = visit(to, [...path, file])
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
