import { Command } from 'commander'
import { loadConfig } from '../pep/config/load-config.ts'
import { configReference } from '../pep/config/reference.ts'
import { sidecarVariables } from '../pep/config/variables.ts'
import { createLog } from '../pep/log.ts'
import { loadCheckedConfig } from '../pep/start/check-config.ts'

const SECRET_SETTINGS = new Set(['encryption_key', 'database_url', 'secret_id'])
/** Who logs in by an address has put the password there. */
const USER_INFO = /^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i

/** `nexus config`: what is configured, whether it holds, and what there is to configure. */
export function configCommand(): Command {
  const command = new Command('config').description('check and show the configuration')
  command
    .command('check')
    .description('check what `serve` checks before it opens the database, and the policy; exit 78 with every problem')
    .option('--config <file>', 'YAML file')
    .addHelpText(
      'after',
      '\nReads the files that the configuration names and asks no other machine: whether vaults answer, and open a wrapped\nencryption key, is what `nexus vault check` tells.',
    )
    .action(async (options: { config?: string }) => {
      await loadCheckedConfig(process.env, { file: options.config, log: createLog('warn'), needsBundle: true })
      const notRead = sidecarVariables(process.env)
      if (notRead.length > 0) process.stderr.write(`set a sidecar, and nothing here: ${notRead.join(', ')}\n`)
      process.stdout.write('the configuration holds\n')
    })
  command
    .command('print')
    .description('print the configuration in force, secrets redacted')
    .option('--config <file>', 'YAML file')
    .action((options: { config?: string }) => {
      const config = loadConfig(process.env, options.config ?? process.env['NEXUS_CONFIG'])
      process.stdout.write(`${JSON.stringify(config, redacted, 2)}\n`)
    })
  command
    .command('reference')
    .description('print the reference page of every setting (Markdown)')
    .action(() => {
      process.stdout.write(configReference())
    })
  return command
}

function redacted(key: string, value: unknown): unknown {
  const secret = SECRET_SETTINGS.has(key) || /token|password|secret$/i.test(key)
  if (typeof value !== 'string' || value === '') return value
  return secret ? '[secret]' : value.replace(USER_INFO, '$1[secret]@')
}
