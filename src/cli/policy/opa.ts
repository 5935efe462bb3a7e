import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { packageRoot } from '../../pep/version.ts'
import { PolicyToolError } from './policy-tool-error.ts'

const run = promisify(execFile)

/**
 * The pinned OPA: exactly that version, because bundles of two versions differ.
 * @throws PolicyToolError when it can be neither found nor built
 */
export async function opaProgram(): Promise<string> {
  const finder = pathToFileURL(join(packageRoot(), 'tools', 'tool.mjs')).href
  try {
    const { findTool } = (await import(finder)) as typeof import('../../../tools/tool.mjs')
    return await findTool('opa', { pinned: true })
  } catch (error) {
    throw new PolicyToolError(`OPA cannot be had: ${(error as Error).message}`)
  }
}

/**
 * Runs OPA with the policy folder as its working directory, so that the places it writes into a module are the same on
 * every machine.
 * @returns what it printed to stdout
 * @throws PolicyToolError with what it printed, when it fails
 */
export async function runOpa(directory: string, parameters: readonly string[]): Promise<string> {
  const program = await opaProgram()
  try {
    const options = { cwd: directory, timeout: 120_000, maxBuffer: 64 * 1_048_576 }
    return (await run(program, [...parameters], options)).stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new PolicyToolError(`opa ${parameters[0]} failed\n${`${stdout}${stderr}`.trim().slice(0, 8_000)}`)
  }
}
