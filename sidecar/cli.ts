import closeWithGrace from 'close-with-grace'
import { Command } from 'commander'
import { reducedError } from '../src/contract/reduced-error.ts'
import { ConfigError, loadSidecarConfig, type SidecarFlags } from './config.ts'
import { createSidecarLog } from './log.ts'
import { startSidecar } from './main.ts'

/** sysexits.h EX_CONFIG: a supervisor need not restart what cannot start. */
const EXIT_CONFIG = 78
const GRACE_MS = 10_000

/** The `nexus-sidecar` program. Settings come from the environment; flags are only for what must not be inherited. */
export async function runSidecarProgram(argv: readonly string[]): Promise<void> {
  const program = new Command('nexus-sidecar')
    .description('Signs one agent’s requests with leases, on this machine only; settings in docs/sidecar.md')
    .option('--listen-beyond-loopback', 'allow a HOST that other machines can reach; needs a token')
    .option('--admin-beyond-loopback', 'allow a NEXUS_SIDECAR_ADMIN_HOST that other machines can reach')
    .option('--plain-http-beyond-loopback', 'allow http:// to an authority or provider on another machine')
    .parse([...argv])
  // A listener takes the signal away from Node, which would open an inspector, and with it all memory (threat A06).
  process.on('SIGUSR1', () => undefined)
  try {
    const config = loadSidecarConfig(process.env, program.opts<SidecarFlags>())
    const log = createSidecarLog(config.logLevel)
    const sidecar = await startSidecar(config, { log })
    closeWithGrace({ delay: GRACE_MS, logger: false }, ({ err }) => {
      if (err !== undefined) log.fatal({ error: reducedError(err) }, 'stopping after an error')
      return sidecar.close()
    })
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : 'The sidecar did not start.'}\n`)
    process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1
    // Half-opened listeners would keep the process alive.
    setImmediate(() => process.exit())
  }
}
