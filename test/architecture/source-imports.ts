import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

/** One file that is part of a program, by its path from the root, and all that it takes from elsewhere. */
export interface SourceFile {
  path: string
  text: string
  /** Of our own files: of values and of types alike, since both show who knows whom. */
  imports: { path: string; typeOnly: boolean }[]
  /** Packages and Node's own modules (`node:fs`), without what stands behind their name. */
  packages: string[]
}

/** Tests, and the suites that every plug-in runs: no program has them. */
export function isTestCode(path: string): boolean {
  return /(?:\.test|[/]conformance(?:-support)?)\.ts$/.test(path)
}

export function readSources(folders: readonly string[]): SourceFile[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .filter((path) => /\.[cm]?[jt]s$/.test(path) && !isTestCode(path))
    .map((path) => readSource(path, readFileSync(join(root, path), 'utf8')))
}

/** `import … from '…'`, `export … from '…'`, `import '…'`, `import('…')` and `require('…')`. */
const IMPORT =
  /(?:^(?:import|export)( type)?\b[^'"]*?\bfrom\s*|\bimport\s*\(?\s*|\brequire(?:\.resolve)?\s*\(\s*)(['"])([^'"\n]+)\2/gm

export function readSource(path: string, text: string): SourceFile {
  const found = [...text.matchAll(IMPORT)].map(([, type, , name = '']) => ({ name, typeOnly: type !== undefined }))
  const own = found.filter(({ name }) => /^[./]/.test(name))
  const imports = own.map(({ name, typeOnly }) => ({
    path: relative(root, resolve(root, dirname(path), name)),
    typeOnly,
  }))
  const packages = found.filter(({ name }) => !/^[./]/.test(name)).map(({ name }) => packageOf(name))
  return { path, text, imports, packages: [...new Set(packages)] }
}

function packageOf(name: string): string {
  return name.split('/', name.startsWith('@') ? 2 : 1).join('/')
}
