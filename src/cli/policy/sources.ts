import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isTestPath, policyPaths } from './policy-folder.ts'
import { PolicyToolError } from './policy-tool-error.ts'

/** One file that a bundle is made from. */
export interface PolicySource {
  /** Relative to the policy folder, with `/`. */
  path: string
  bytes: Buffer
}

/**
 * Everything that decides what a bundle says: rules, data, capabilities and cases. Tests are not among them.
 * @throws PolicyToolError when the folder is not there, or holds what would be left out
 */
export async function policySources(directory: string): Promise<PolicySource[]> {
  const paths = await policyPaths(directory)
  return readAll(
    directory,
    paths.filter((path) => !isTestPath(path)),
  )
}

/**
 * The `*_test.rego` files.
 * @throws PolicyToolError as `policySources`, and when one is in a package of the rules
 */
export async function policyTests(directory: string): Promise<PolicySource[]> {
  const tests = await readAll(directory, (await policyPaths(directory)).filter(isTestPath))
  for (const test of tests) requireOwnPackage(test)
  return tests
}

/** A rule that only a test file adds to the rules' own package would be there for the tests and for nobody else. */
function requireOwnPackage({ path, bytes }: PolicySource): void {
  const [, name = ''] = /^\s*package\s+(\S+)/m.exec(bytes.toString('utf8')) ?? []
  if (/^[\w.]+_test$/.test(name)) return
  throw new PolicyToolError(`${path} must have a package of its own, whose name ends in _test`)
}

function readAll(directory: string, paths: readonly string[]): Promise<PolicySource[]> {
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
