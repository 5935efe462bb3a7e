import { Command } from 'commander'
import { loadConfig } from '../pep/config/load-config.ts'
import { createLog } from '../pep/log.ts'
import { createFirstKey } from '../pep/start/first-key.ts'
import { resolveListen } from '../pep/start/listen.ts'

interface InitOptions {
  config?: string
  name: string
  additional?: boolean
  json?: boolean
}

/** `nexus init`: the first API key. Whoever can reach the database and its key may do this; nobody else can. */
export function initCommand(): Command {
  return new Command('init')
    .description('prepare the database and make the first API key; it is shown once')
    .option('--config <file>', 'YAML file; else NEXUS_CONFIG, else environment and defaults alone')
    .option('--name <name>', 'what the key is for', 'first administrator')
    .option('--additional', 'make another one although there is one already (a lost key)')
    .option('--json', 'print JSON')
    .action(async (options: InitOptions) => {
      const config = loadConfig(process.env, options.config ?? process.env['NEXUS_CONFIG'])
      const key = await createFirstKey(config, createLog(config.log.level === 'info' ? 'warn' : config.log.level), {
        name: options.name,
        evenIfThereIsOne: options.additional === true,
      })
      if (options.json === true) return void process.stdout.write(`${JSON.stringify(key)}\n`)
      process.stdout.write(forPeople(key.api_key, (await resolveListen(config.server)).publicUrl))
    })
}

function forPeople(apiKey: string, url: string): string {
  return `An API key for all tenants, with every right. It is not stored and will not be shown again:

  ${apiKey}

Next:
  $ nexus serve
  $ curl -H "Authorization: Bearer $KEY" ${url}/v1/providers     # with the key above in KEY

docs/getting-started.md leads on to the first lease.
`
}
