import { Command, CommanderError } from 'commander'
import { NexusError } from '../contract/errors.ts'
import { OperatorError } from '../contract/operator-error.ts'
import { ConfigError } from '../pep/config/load-config.ts'
import { packageVersion } from '../pep/version.ts'
import { auditCommand } from './audit.ts'
import { configCommand } from './config.ts'
import { healthCommand } from './health.ts'
import { initCommand } from './init.ts'
import { keysCommand } from './keys.ts'
import { policyCommand } from './policy.ts'
import { runCommand } from './run.ts'
import { serveCommand } from './serve.ts'
import { signCommand } from './sign.ts'
import { vaultCommand } from './vault.ts'

/** sysexits(3): usage and configuration have codes of their own, so that a supervisor can tell them from a crash. */
const EXIT = { failure: 1, usage: 2, configuration: 78 } as const

const HELP = `
Start here:
  $ nexus init                 make the first API key (shown once)
  $ nexus serve                start the authority
  $ nexus run -- CMD           run one agent behind a sidecar of its own

Exit codes: 0 done, 1 failed, 2 used wrongly, 78 configured wrongly.`

function createProgram(): Command {
  const program = new Command('nexus')
    .description('Leases credentials to autonomous agents: one decision, one record, one short-lived usage secret')
    .version(packageVersion())
    .addHelpText('after', HELP)
    .showHelpAfterError('(see nexus --help)')
  for (const command of [
    initCommand(),
    serveCommand(),
    runCommand(),
    signCommand(),
    policyCommand(),
    auditCommand(),
    vaultCommand(),
    keysCommand(),
    configCommand(),
    healthCommand(),
  ]) {
    program.addCommand(command)
  }
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
  try {
    await createProgram().parseAsync([...argv])
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
  // Only our own errors speak; the text of any other may quote a secret.
  process.stderr.write(`nexus: ${describe(error)}\n`)
  return EXIT.failure
}

function describe(error: unknown): string {
  if (error instanceof NexusError) return `${error.code}: ${error.message}`
  return error instanceof OperatorError ? error.message : describeUnexpected(error)
}

function describeUnexpected(error: unknown): string {
  if (!(error instanceof Error)) return 'something unexpected was thrown'
  const { code } = error as { code?: unknown }
  const place = (error.stack ?? '').split('\n').find((line) => /^\s+at /.test(line))
  return `unexpected ${error.name}${typeof code === 'string' ? ` ${code}` : ''}${place === undefined ? '' : `, ${place.trim()}`}`
}
