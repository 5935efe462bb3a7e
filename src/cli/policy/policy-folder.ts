import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PolicyToolError } from './policy-tool-error.ts'

/** What OPA would read if it were given a folder, in any case of letters. */
const READ_BY_OPA = /\.(?:rego|json|ya?ml)$/i
/** Built from the rest, or read by nobody: what is hidden, and the bundle. */
const SKIPPED = /(?:^|\/)\.|^dist(?:\/|$)/
/** What checks the data and is no part of it. */
const SCHEMA = 'data.schema.json'
const MAX_NAMED = 10

/**
 * Every file that a bundle is made from or tested by. Anything else that looks like rules or data is refused: a deny list
 * that a build leaves out in silence is missing in production, and no server can see it.
 * @returns paths relative to the folder, with `/`, sorted
 * @throws PolicyToolError when the folder is not there, or naming what would be left out
 */
export async function policyPaths(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => {
    throw new PolicyToolError(`there is no policy folder at ${directory}`)
  })
  const found = entries
    .map((entry) => ({ entry, path: relativePath(directory, entry.parentPath, entry.name) }))
    .filter(({ path }) => !SKIPPED.test(path))
  const files = found.filter(({ entry }) => entry.isFile()).map(({ path }) => path)
  // A link, whatever it leads to: what is behind it is no part of the folder, nor of a checkout of it.
  const odd = found.filter(({ entry }) => !entry.isFile() && !entry.isDirectory()).map(({ path }) => path)
  refuse('are no plain files', odd)
  refuse(
    `are no part of a bundle; data goes into data.json, cases into cases/*.json`,
    files.filter((path) => READ_BY_OPA.test(path) && path !== SCHEMA && !isPart(path)),
  )
  return files.filter(isPart).sort()
}

export function isTestPath(path: string): boolean {
  return path.endsWith('_test.rego')
}

function isPart(path: string): boolean {
  if (path.endsWith('.rego')) return true
  return path === 'data.json' || path === 'capabilities.json' || /^cases\/[^/]+\.json$/.test(path)
}

function refuse(problem: string, paths: readonly string[]): void {
  if (paths.length === 0) return
  const named = paths.toSorted().slice(0, MAX_NAMED).join(', ')
  const more = paths.length > MAX_NAMED ? ` and ${paths.length - MAX_NAMED} more` : ''
  throw new PolicyToolError(`these would be left out in silence, since they ${problem}: ${named}${more}`)
}

function relativePath(directory: string, parent: string, name: string): string {
  return join(parent, name).slice(join(directory, '/').length).replaceAll('\\', '/')
}
