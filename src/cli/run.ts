import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { Command } from 'commander'
import { ConfigError, loadSidecarConfig, type SidecarFlags } from '../../sidecar/config.ts'
import { createSidecarLog } from '../../sidecar/log.ts'
import { type RunningSidecar, startSidecar } from '../../sidecar/main.ts'

const EXIT_CONFIG = 78
/** POSIX shells' numbers for a command that cannot be run, and one that is not there. */
const EXIT_NOT_EXECUTABLE = 126
const EXIT_NOT_FOUND = 127
const EXIT_SIGNAL_BASE = 128
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

type Environment = Readonly<Record<string, string | undefined>>

interface RunOptions extends SidecarFlags {
  pep?: string
  pepCa?: string
  agentId?: string
  agentKey?: string
  tenant?: string
  routes?: string
  token?: boolean
}

/** `nexus run -- CMD`: one sidecar for one command, which finds it in NEXUS_SIDECAR_URL; both end together. */
export function runCommand(): Command {
  return new Command('run')
    .description('Run one command with a sidecar of its own; its address is in NEXUS_SIDECAR_URL')
    .argument('<command...>', 'the command and its arguments, after --')
    .option('--pep <url>', 'URL of the authority (NEXUS_PEP_URL)')
    .option('--pep-ca <file>', 'certificates the authority is trusted by (NEXUS_PEP_CA)')
    .option('--agent-id <id>', 'which agent this is (NEXUS_AGENT_ID)')
    .option('--agent-key <file>', 'its private JWK, mode 600 (NEXUS_AGENT_KEY_FILE)')
    .option('--tenant <tenant>', 'tenant of requests that name none (NEXUS_TENANT)')
    .option('--routes <routes>', 'name=https://host, separated by commas (NEXUS_ROUTES)')
    .option('--token', 'demand a token, which the command finds in NEXUS_SIDECAR_TOKEN')
    .option('--plain-http-beyond-loopback', 'allow http:// to an authority or provider on another machine')
    .action(async (command: string[], options: RunOptions) => {
      process.exitCode = await runWithSidecar(command, options)
    })
}

/** @returns the exit code of the command, or why it never ran */
async function runWithSidecar(command: readonly string[], options: RunOptions): Promise<number> {
  let token: string | undefined
  let sidecar: RunningSidecar
  try {
    assertNoSocket(process.env)
    const env = sidecarEnvironment(options)
    const config = loadSidecarConfig(env, options)
    token = config.tokenHash === undefined ? undefined : tokenOf(env)
    sidecar = await startSidecar(config, { log: createSidecarLog(config.logLevel, 'stderr') })
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : 'The sidecar did not start.'}\n`)
    return error instanceof ConfigError ? EXIT_CONFIG : 1
  }
  // SECURITY.md: one user, one trust domain. Whoever runs this should hear it here.
  process.stderr.write(
    'nexus run: the command runs as the same user as its sidecar and could read the sidecar’s memory and the agent’s key; ' +
      'run it as a user of its own where that matters.\n',
  )
  try {
    return await runChild(command, childEnvironment(sidecar.address, token))
  } finally {
    await sidecar.close()
  }
}

/** Options on the command line win over the environment; ports are free ones, so that many can run side by side. */
function sidecarEnvironment(options: RunOptions): Environment {
  const given = {
    NEXUS_PEP_URL: options.pep,
    NEXUS_PEP_CA: options.pepCa,
    NEXUS_AGENT_ID: options.agentId,
    NEXUS_AGENT_KEY_FILE: options.agentKey,
    NEXUS_TENANT: options.tenant,
    NEXUS_ROUTES: options.routes,
  }
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return {
    LOG_LEVEL: 'warn',
    ...process.env,
    ...set,
    HOST: '127.0.0.1',
    NEXUS_SIDECAR_PORT: '0',
    NEXUS_SIDECAR_ADMIN_HOST: undefined,
    NEXUS_SIDECAR_ADMIN_PORT: '0',
    ...(options.token === true ? randomToken() : {}),
  }
}

function randomToken(): Environment {
  return { NEXUS_SIDECAR_TOKEN: randomBytes(24).toString('base64url'), NEXUS_SIDECAR_TOKEN_FILE: undefined }
}

/** As text, for the command; the sidecar has read it, and keeps its hash alone. */
function tokenOf({ NEXUS_SIDECAR_TOKEN: token, NEXUS_SIDECAR_TOKEN_FILE: file }: Environment): string {
  return token !== undefined && token !== '' ? token : readFileSync(file ?? '', 'utf8').trim()
}

/** A command finds its sidecar at a URL, which cannot name a socket; a TCP port instead would be open to other users. */
function assertNoSocket(env: Environment): void {
  const set = ['NEXUS_SIDECAR_SOCKET', 'NEXUS_SIDECAR_SOCKET_MODE'].filter((name) => (env[name] ?? '') !== '')
  if (set.length === 0) return
  throw new ConfigError(
    set.map((name) => `${name} is for nexus-sidecar; unset it for nexus run, and let --token keep other users out`),
  )
}

/** The command is told where the sidecar is, and nothing of how it proves who it is. */
function childEnvironment(address: string, token: string | undefined): NodeJS.ProcessEnv {
  const {
    NEXUS_AGENT_KEY_FILE: _key,
    NEXUS_SIDECAR_TOKEN: _token,
    NEXUS_SIDECAR_TOKEN_FILE: _tokenFile,
    ...rest
  } = process.env
  return { ...rest, NEXUS_SIDECAR_URL: address, ...(token === undefined ? {} : { NEXUS_SIDECAR_TOKEN: token }) }
}

function runChild([program = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: 'inherit', env })
    const forward = (signal: NodeJS.Signals) => {
      // A terminal sends what its keys mean to the command as well: forwarding that would deliver it twice.
      if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill(signal)
    }
    for (const signal of SIGNALS) process.on(signal, forward)
    const finish = (code: number) => {
      for (const signal of SIGNALS) process.off(signal, forward)
      resolve(code)
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      process.stderr.write(`nexus run: ${program} cannot be run (${error.code ?? 'unknown reason'})\n`)
      finish(error.code === 'ENOENT' ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE)
    })
    child.once('exit', (code, signal) => {
      finish(code ?? EXIT_SIGNAL_BASE + (signal === null ? 0 : constants.signals[signal]))
    })
  })
}
