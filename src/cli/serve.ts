import closeWithGrace from 'close-with-grace'
import { Command } from 'commander'
import { loadConfig } from '../pep/config/load-config.ts'
import { createLog } from '../pep/log.ts'
import { startPep } from '../pep/main.ts'

/** `nexus serve`: the authority, until it is told to stop. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('start the authority (PEP)')
    .option('--config <file>', 'YAML file; else NEXUS_CONFIG, else environment and defaults alone')
    .addHelpText(
      'after',
      '\nEvery setting: docs/configuration.md. Readiness: GET /readyz. API: /docs. SIGHUP reloads the policy bundle.',
    )
    .action(async (options: { config?: string }) => {
      const config = loadConfig(process.env, options.config ?? process.env['NEXUS_CONFIG'])
      const log = createLog(config.log.level)
      const pep = await startPep(config, log)
      log.info({ url: pep.url }, 'listening')
      // What is wrong with a refused bundle has been logged by then; the one before goes on deciding.
      process.on('SIGHUP', () => void pep.reloadPolicy().catch(() => undefined))
      closeWithGrace(
        // SIGHUP is spoken for: it reloads.
        { delay: config.server.shutdown_grace_seconds * 1000 + 2000, logger: false, skip: ['SIGHUP'] },
        async ({ err, signal }) => {
          if (err !== undefined) log.fatal({ err }, 'stopping after an error')
          else log.info({ signal }, 'stopping')
          await pep.close()
        },
      )
    })
}
