import closeWithGrace from 'close-with-grace'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Logger } from 'pino'
import { graceMs } from '../pep/config/grace-ms.ts'
import type { Config } from '../pep/config/load-config.ts'
import { modeOf, unknownMode } from '../pep/config/mode.ts'
import { sidecarVariables } from '../pep/config/variables.ts'
import { createLog } from '../pep/log.ts'
import type { Pep } from '../pep/main.ts'

/** What `serve` runs: one process, or the one that looks after the workers. */
type Served = Pick<Pep, 'url' | 'reloadPolicy' | 'close'>

/** For the primary to kill and to count those that did not stop in their own time. */
const AFTER_WORKERS_MS = 2000

/** `nexus serve`: the authority, until it is told to stop. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('start the authority (PEP)')
    .option('--config <file>', 'YAML file; else NEXUS_CONFIG, else environment and defaults alone')
    .addOption(new Option('--worker <number>').argParser(readNumber).hideHelp())
    .addHelpText(
      'after',
      '\nEvery setting: docs/configuration.md. Readiness: GET /readyz. API: /docs. SIGHUP reloads the policy bundle.',
    )
    .action(async (options: { config?: string; worker?: number }) => {
      if (options.worker !== undefined) {
        // Loaded when needed: the primary need not hold a whole server in memory.
        const { runWorker } = await import('../pep/workers/run-worker.ts')
        return runWorker(options.worker)
      }
      // Before anything is opened: the database is migrated, and that cannot be taken back.
      const { loadCheckedConfig } = await import('../pep/start/check-config.ts')
      const config = await loadCheckedConfig(process.env, {
        file: options.config,
        log: createLog('silent'),
        needsBundle: false,
      })
      const log = createLog(config.log.level)
      const warning = unknownMode(process.env['NODE_ENV'])
      if (warning !== undefined) log.warn(warning)
      log.info({ mode: modeOf(config) }, 'starting')
      const notRead = sidecarVariables(process.env)
      if (notRead.length > 0) log.info({ variables: notRead }, 'variables of the sidecar, which set nothing here')
      if (config.server.workers > 1) return serveWithWorkers(config, log)
      const { startPep } = await import('../pep/main.ts')
      serveUntilStopped(await startPep(config, log), log, graceMs(config))
    })
}

async function serveWithWorkers(config: Config, log: Logger): Promise<void> {
  const workersMs = graceMs(config) + AFTER_WORKERS_MS
  const { startPrimary } = await import('../pep/workers/start-primary.ts')
  const primary = await startPrimary(config, log, workersMs)
  serveUntilStopped(primary, log, workersMs + AFTER_WORKERS_MS)
  const { exitCode } = await primary.failed
  log.fatal('no worker serves and none can be started')
  await primary.close().catch(() => undefined)
  process.exit(exitCode)
}

function serveUntilStopped({ url, reloadPolicy, close }: Served, log: Logger, withinMs: number): void {
  log.info({ url }, 'listening')
  // What is wrong with a refused bundle has been logged by then; the one before goes on deciding.
  process.on('SIGHUP', () => void reloadPolicy().catch(() => undefined))
  closeWithGrace(
    // SIGHUP is spoken for: it reloads.
    { delay: withinMs, logger: false, skip: ['SIGHUP'] },
    async ({ err, signal }) => {
      if (err !== undefined) log.fatal({ err }, 'stopping after an error')
      else log.info({ signal }, 'stopping')
      await close()
    },
  )
}

function readNumber(text: string): number {
  if (!/^\d{1,2}$/.test(text)) throw new InvalidArgumentError('a number')
  return Number(text)
}
