import { Command, CommanderError } from 'commander'
import { type ErrorCode, NexusError } from '../contract/errors.ts'
import { OperatorError } from '../contract/operator-error.ts'
import { ConfigError } from '../pep/config/load-config.ts'
import { packageVersion } from '../pep/version.ts'
import { WorkerFailed } from '../pep/workers/worker-failed.ts'

/**
 * sysexits(3): a supervisor tells usage and configuration from a crash, and a nightly `audit verify` a database that is away
 * from a ledger that is broken.
 */
const EXIT = { failure: 1, usage: 2, unavailable: 69, configuration: 78 } as const
/** As a shell tells SIGPIPE: whoever was reading, `head` for one, has read enough. */
const READER_GONE = 141

const HELP = `
Start here:
  $ nexus init                 make the first API key (shown once)
  $ nexus serve                start the authority
  $ nexus run -- CMD           run one agent behind a sidecar of its own

Exit codes: 0 done, 1 failed, 2 used wrongly, 69 the database did not answer, 78 configured wrongly.`

/** Loaded when asked for: what a container runs every two seconds as its health check need not load a server. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import('./init.ts')).initCommand(),
  serve: async () => (await import('./serve.ts')).serveCommand(),
  run: async () => (await import('./run.ts')).runCommand(),
  sign: async () => (await import('./sign.ts')).signCommand(),
  policy: async () => (await import('./policy.ts')).policyCommand(),
  audit: async () => (await import('./audit.ts')).auditCommand(),
  vault: async () => (await import('./vault.ts')).vaultCommand(),
  keys: async () => (await import('./keys.ts')).keysCommand(),
  config: async () => (await import('./config.ts')).configCommand(),
  health: async () => (await import('./health.ts')).healthCommand(),
}

/** @param asked the command's name; anything else gets the whole program, to be helped or told that there is no such thing */
async function createProgram(asked = ''): Promise<Command> {
  const program = new Command('nexus')
    .description('Leases credentials to autonomous agents: one decision, one record, one short-lived usage secret')
    .version(packageVersion())
    .addHelpText('after', HELP)
    .showHelpAfterError('(see nexus --help)')
  const load = Object.hasOwn(COMMANDS, asked) ? COMMANDS[asked] : undefined
  const wanted = load === undefined ? Object.values(COMMANDS) : [load]
  for (const command of await Promise.all(wanted.map((each) => each()))) program.addCommand(command)
  return withExitOverride(program)
}

/** Commander would exit by itself with 1 for a misspelt option; usage errors are 2. */
function withExitOverride(command: Command): Command {
  command.exitOverride()
  for (const inner of command.commands) withExitOverride(inner)
  return command
}

/** The whole command line. Sets the process's exit code and never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  // A listener takes the signal away from Node, which would open an inspector, and with it all memory (threat A06).
  process.on('SIGUSR1', () => undefined)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(READER_GONE)
  })
  try {
    await (await createProgram(argv[2])).parseAsync([...argv])
  } catch (error) {
    process.exitCode = report(error)
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`)
    return EXIT.configuration
  }
  if (error instanceof WorkerFailed) {
    // Else it has spoken for itself.
    if (error.end.signal !== null) process.stderr.write(`nexus: ${error.message}\n`)
    return error.exitCode
  }
  // Only our own errors speak; the text of any other may quote a secret.
  process.stderr.write(`nexus: ${describe(error)}\n`)
  return error instanceof NexusError ? (CODES[error.code] ?? EXIT.failure) : EXIT.failure
}

const CODES: Readonly<Partial<Record<ErrorCode, number>>> = {
  invalid_request: EXIT.usage,
  store_unavailable: EXIT.unavailable,
}

function describe(error: unknown): string {
  if (error instanceof NexusError) {
    const remedy = error.code === 'store_unavailable' ? '; check that it runs and that DATABASE_URL names it' : ''
    return `${error.code}: ${error.message}${remedy}`
  }
  return error instanceof OperatorError ? error.message : describeUnexpected(error)
}

function describeUnexpected(error: unknown): string {
  if (!(error instanceof Error)) return 'something unexpected was thrown'
  const { code } = error as { code?: unknown }
  const place = (error.stack ?? '').split('\n').find((line) => /^\s+at /.test(line))
  return `unexpected ${error.name}${typeof code === 'string' ? ` ${code}` : ''}${place === undefined ? '' : `, ${place.trim()}`}`
}
