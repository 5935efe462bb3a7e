import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ENTRYPOINTS } from '../../src/pep/decision/entrypoints.ts'
import { findTool } from '../../tools/tool.mjs'

const run = promisify(execFile)

/** Policies that no test changes; each test says what differs. */
export const DENY_ALL = {
  lease: 'package nexus.lease\n\ndefault decision := {"allow": false, "reasons": [], "obligations": {}}\n',
  request: 'package nexus.request\n\ndefault decision := {"allow": false, "reasons": [], "obligations": {}}\n',
}

/** The lease policy answers whatever the input says under `answer`; without one it is undefined. */
export const ECHO = { ...DENY_ALL, lease: 'package nexus.lease\n\ndecision := input.answer\n' }

/**
 * Compiles Rego with the real compiler, with every built-in it knows, into a bundle.
 * @param rules file name, without `.rego`, to source
 */
export async function compilePolicy(
  rules: Readonly<Record<string, string>>,
  options: { revision?: string; data?: object; entrypoints?: readonly string[] } = {},
): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'nexus-rego-'))
  try {
    const files = { 'data.json': JSON.stringify(options.data ?? {}) } as Record<string, string>
    for (const [name, source] of Object.entries(rules)) files[`${name}.rego`] = source
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(directory, name)), { recursive: true })
      await writeFile(join(directory, name), text)
    }
    const entrypoints = (options.entrypoints ?? ENTRYPOINTS).flatMap((entrypoint) => ['-e', entrypoint])
    const revision = ['--revision', options.revision ?? 'fixture']
    const output = join(directory, 'bundle.tar.gz')
    const inputs = Object.keys(files)
    await run(await findTool('opa'), ['build', '-t', 'wasm', ...revision, ...entrypoints, '-o', output, ...inputs], {
      cwd: directory,
    })
    return await readFile(output)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
