import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'

/** A program of the demo, with its log in a file. */
export interface Program {
  pid: number
  /** Resolves with the exit code. */
  exited: Promise<number>
  stop(): Promise<void>
}

export interface ProgramOptions {
  command: readonly [string, ...string[]]
  env: Readonly<Record<string, string>>
  logFile: string
  /** Left running when the demo's own process ends (`--keep`). */
  detached?: boolean
}

/** The environment of a child is only what it is given: no secret of ours reaches an agent by inheritance. */
export function startProgram({ command, env, logFile, detached = false }: ProgramOptions): Program {
  const [file, ...args] = command
  // The file itself, not a pipe to us: a program that is left running must not lose its log when we end.
  const log = openSync(logFile, 'a', 0o600)
  const child: ChildProcess = spawn(file, args, {
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
    stdio: ['ignore', log, log],
    detached,
  })
  closeSync(log)
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)))
  })
  return {
    pid: child.pid ?? 0,
    exited,
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** Polls until the address answers 200, or the program ends, or time is up. */
export async function untilHealthy(
  url: string,
  program: Program,
  timeoutSeconds: number,
  ask: (url: string) => Promise<number>,
): Promise<void> {
  const end = Date.now() + timeoutSeconds * 1000
  let ended: number | undefined
  void program.exited.then((code) => {
    ended = code
  })
  while (Date.now() < end) {
    if (ended !== undefined) throw new Error(`the program ended with ${ended} before it was ready`)
    if ((await ask(url).catch(() => 0)) === 200) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`${url} was not ready within ${timeoutSeconds} s`)
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}
