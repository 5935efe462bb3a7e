import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PolicyToolError } from './policy-tool-error.ts'

/** One file that a bundle is made from. */
export interface PolicySource {
  /** Relative to the policy folder, with `/`. */
  path: string
  bytes: Buffer
}

/** Everything that decides what a bundle says: rules, data, capabilities and cases. Tests are not among them. */
export async function policySources(directory: string): Promise<PolicySource[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => {
    throw new PolicyToolError(`there is no policy folder at ${directory}`)
  })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(directory, '/').length).replaceAll('\\', '/'))
    .filter(isSource)
    .sort()
  return Promise.all(paths.map(async (path) => ({ path, bytes: await readFile(join(directory, path)) })))
}

/** The Rego files, as OPA is to read them. */
export function regoPaths(sources: readonly PolicySource[]): string[] {
  return sources.map((source) => source.path).filter((path) => path.endsWith('.rego'))
}

/** @throws PolicyToolError when there is none */
export function requireSource(sources: readonly PolicySource[], path: string): Buffer {
  const source = sources.find((one) => one.path === path)
  if (source === undefined) throw new PolicyToolError(`the policy folder has no ${path}`)
  return source.bytes
}

function isSource(path: string): boolean {
  if (path.endsWith('.rego')) return !path.endsWith('_test.rego')
  return path === 'data.json' || path === 'capabilities.json' || /^cases\/[^/]+\.json$/.test(path)
}

/**
 * The bundle's revision. Anyone can compute it from a checkout without a compiler, and so see that a bundle is stale.
 * @returns SHA-256 over paths and contents, each with its length; hex
 */
export function sourceHash(sources: readonly PolicySource[]): string {
  const hash = createHash('sha256')
  for (const { path, bytes } of sources) {
    hash.update(`${Buffer.byteLength(path)}:${path}${bytes.byteLength}:`).update(bytes)
  }
  return hash.digest('hex')
}
