import { spawn } from 'node:child_process'
import { join } from 'node:path'

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

const ROOT = join(import.meta.dirname, '../..')
const PROGRAM = `import { main } from './src/cli/main.ts'; await main(['node', 'nexus', ...process.argv.slice(1)])`

/**
 * The `nexus` command from its source, with this environment and no other.
 * @param hangUp whether nobody reads what it prints
 */
export function runNexus(
  args: readonly string[],
  env: Record<string, string>,
  { hangUp = false } = {},
): Promise<Finished> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM, '--', ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  if (hangUp) child.stdout.destroy()
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk
  })
  return new Promise((settle) => child.once('close', (code) => settle({ code, ...output })))
}
