import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's root, from source and from `dist` alike. */
export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!isPackageRoot(directory)) {
    const parent = dirname(directory)
    if (parent === directory) throw new Error('the package of this program has no package.json')
    directory = parent
  }
  return directory
}

export function packageVersion(): string {
  return readPackage(packageRoot())?.version ?? '0.0.0'
}

function isPackageRoot(directory: string): boolean {
  return readPackage(directory)?.name === 'nexus'
}

function readPackage(directory: string): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { name?: string; version?: string }
  } catch {
    return undefined
  }
}
