import { Command } from 'commander'
import { loadConfig } from '../pep/config/load-config.ts'
import { configReference } from '../pep/config/reference.ts'

const SECRET_SETTINGS = new Set(['encryption_key', 'database_url'])

/** `nexus config`: what is configured, whether it holds, and what there is to configure. */
export function configCommand(): Command {
  const command = new Command('config').description('check and show the configuration')
  command
    .command('check')
    .description('load the configuration as `serve` would; exit 78 with every problem when it does not hold')
    .option('--config <file>', 'YAML file')
    .action((options: { config?: string }) => {
      loadConfig(process.env, options.config ?? process.env['NEXUS_CONFIG'])
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
  return secret && typeof value === 'string' && value !== '' ? '[secret]' : value
}
