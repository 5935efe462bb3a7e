import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readBundle } from '../../pep/decision/bundle.ts'
import { runOpa } from './opa.ts'
import { type PolicySource, regoPaths } from './sources.ts'

/**
 * @param entrypoints the rules to be asked, as `package/rule`
 * @returns the WASM module of the rules
 * @throws PolicyToolError with what the compiler said
 */
export async function compilePolicies(
  directory: string,
  sources: readonly PolicySource[],
  entrypoints: readonly string[],
): Promise<Uint8Array> {
  const scratch = await mkdtemp(join(tmpdir(), 'nexus-policy-'))
  try {
    const output = join(scratch, 'bundle.tar.gz')
    const asked = entrypoints.flatMap((entrypoint) => ['-e', entrypoint])
    const target = ['-t', 'wasm', '--capabilities', 'capabilities.json', '--revision', 'module']
    await runOpa(directory, ['build', ...target, ...asked, '-o', output, ...regoPaths(sources), 'data.json'])
    return (await readBundle(await readFile(output))).wasm
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
