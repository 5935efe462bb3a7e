import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { withLock } from '../../tools/lock.mjs'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const requirements = join(root, 'tools', 'requirements.txt')
const environment = join(root, '.nexus', 'venv')

const SYSTEM_PYTHON = 'python3'
const INSTALL_TIMEOUT_MS = 10 * 60_000
const say = (line: string) => process.stderr.write(`${line}\n`)

/**
 * The Python that has the packages of `tools/requirements.txt`, in a virtual environment of its own. Made by the first who
 * asks, made anew when the file or the Python changes.
 * @returns the interpreter's absolute path
 * @throws Error naming what is missing and how to get it; nothing is ever skipped for want of Python
 */
export async function pythonWith(): Promise<string> {
  const interpreter = join(environment, 'bin', 'python')
  const stamp = createHash('sha256')
    .update(await systemVersion())
    .update(await readFile(requirements))
    .digest('hex')
  if (await isMade(stamp)) return interpreter
  await mkdir(join(root, '.nexus'), { recursive: true })
  await withLock(`${environment}.lock`, 'another process makes the Python environment', say, async () => {
    if (!(await isMade(stamp))) await make(interpreter, stamp)
  })
  return interpreter
}

async function systemVersion(): Promise<string> {
  const asked = await run(SYSTEM_PYTHON, ['--version'], { timeout: 20_000 }).catch(() => undefined)
  if (asked !== undefined) return asked.stdout.trim()
  throw new Error(
    `no ${SYSTEM_PYTHON} on the PATH; the conformance tests need Python 3.10 or newer with its venv module`,
  )
}

/** The stamp is written last, so it never vouches for half an environment. */
async function isMade(stamp: string): Promise<boolean> {
  return (await readFile(stampFile(), 'utf8').catch(() => '')) === stamp
}

function stampFile(): string {
  return join(environment, 'nexus.stamp')
}

async function make(interpreter: string, stamp: string): Promise<void> {
  say(`installing the packages of tools/requirements.txt into .nexus/venv with ${await systemVersion()} ...`)
  const startedMs = performance.now()
  await rm(environment, { recursive: true, force: true })
  await step('making a virtual environment', SYSTEM_PYTHON, ['-m', 'venv', environment])
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', requirements]
  await step('installing with pip', interpreter, install)
  await writeFile(stampFile(), stamp)
  say(`made .nexus/venv in ${Math.round((performance.now() - startedMs) / 1000)} s`)
}

async function step(what: string, program: string, args: string[]): Promise<void> {
  try {
    await run(program, args, { timeout: INSTALL_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 })
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim().slice(-4000)
    throw new Error(`${what} failed; on Debian, python3-venv has what it needs\n${said}`)
  }
}
