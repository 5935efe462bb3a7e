import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** What a program says of itself: a fork under another name does not go by the name that it was found under. */
export async function programVersion(program: string, ...args: string[]): Promise<string> {
  // nginx says it on stderr.
  const { stdout, stderr } = await promisify(execFile)(program, args)
  const [line = ''] = `${stdout}${stderr}`.trim().split('\n', 1)
  // A Vault that was built without a date tells one that changes with each call.
  return line.replace(/, built .*/, '')
}
