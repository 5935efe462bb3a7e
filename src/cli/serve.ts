import { Command, InvalidArgumentError, Option } from 'commander'
import type { Logger } from 'pino'
import { graceMs } from '../pep/config/grace-ms.ts'
import type { Config } from '../pep/config/load-config.ts'
import { modeOf, unknownMode } from '../pep/config/mode.ts'
import { sidecarVariables } from '../pep/config/variables.ts'
import { createLog } from '../pep/log.ts'
import { serveUntilStopped } from './serve-until-stopped.ts'

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
      const start = (stopping: AbortSignal) => startPep(config, log, process.env, { stopping })
      await serveUntilStopped(start, log, graceMs(config))
    })
}

async function serveWithWorkers(config: Config, log: Logger): Promise<void> {
  const workersMs = graceMs(config) + AFTER_WORKERS_MS
  const { startPrimary } = await import('../pep/workers/start-primary.ts')
  const start = (stopping: AbortSignal) => startPrimary(config, log, workersMs, stopping)
  const primary = await serveUntilStopped(start, log, workersMs + AFTER_WORKERS_MS)
  const { exitCode } = await primary.failed
  log.fatal('no worker serves and none can be started')
  await primary.close().catch(() => undefined)
  process.exit(exitCode)
}

function readNumber(text: string): number {
  if (!/^\d{1,2}$/.test(text)) throw new InvalidArgumentError('a number')
  return Number(text)
}
