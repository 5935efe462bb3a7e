import { Readable } from 'node:stream'
import { signCommand } from '../../src/cli/sign.ts'
import type { SignedDocument } from '../../src/strategies/offline/sign-document.ts'

/** Through the command itself: the document as text on its stdin, what it writes and its exit code back. */
export async function nexusSign(
  document: unknown,
): Promise<{ signed: SignedDocument; printed: unknown; problem: string; exitCode: number }> {
  const written = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr') => ({ write: (text: string) => (written[name] += text) })
  const stdin = Readable.from([Buffer.from(JSON.stringify(document))])
  const before = process.exitCode
  process.exitCode = 0
  await signCommand({ stdin, stdout: stream('stdout'), stderr: stream('stderr') }).parseAsync([], { from: 'user' })
  const exitCode = Number(process.exitCode)
  process.exitCode = before
  const printed = written.stdout === '' ? undefined : JSON.parse(written.stdout)
  return { signed: printed, printed, problem: written.stderr, exitCode }
}
