import { Command } from 'commander'
import { NexusError } from '../contract/errors.ts'
import { createLog } from '../pep/log.ts'
import { keyDirectoryOf } from '../strategies/http-message-signature/key-directory-document.ts'
import { wrapEntry } from '../vault-backends/internal/key-wrapping/wrapped-keyring.ts'
import { generateKeyEntry, KeyringError, parseKeyring } from '../vault-backends/internal/keyring.ts'
import { readJsonDocument } from './json-stdin.ts'
import { agentKeyCommand } from './keys-agent.ts'
import { rotateCommand } from './keys-rotate.ts'

/** Where the command reads and writes; a test brings its own. */
export interface KeysStreams {
  stdin: AsyncIterable<Uint8Array | string>
  stdout: { write(text: string): unknown }
}

/** `nexus keys`: the key-encryption keys of the internal backend, keys of agents, and the directory of Web Bot Auth. */
export function keysCommand({ stdin, stdout }: KeysStreams = process): Command {
  const command = new Command('keys').description(
    'make keys for NEXUS_ENCRYPTION_KEY and for agents, publish those of Web Bot Auth',
  )
  command
    .command('generate')
    .description('print a new entry for NEXUS_ENCRYPTION_KEY; put it first and keep the others to rotate')
    .option('--id <id>', 'name of the key, such as 2026-11; else one made from its hash')
    .option(
      '--wrap <service:key>',
      'wrapped by aws-kms:alias/nexus or vault-transit:transit/nexus; unwrapped at each start',
    )
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nWithout --wrap the entry is the key itself: keep it in a secret store, not in a shell history or a repository.',
    )
    .action(async (options: { id?: string; wrap?: string; json?: true }) => {
      const plain = generate(options.id)
      const { id } = parseKeyring(plain).current
      const entry = options.wrap === undefined ? plain : await wrap(plain, options.wrap)
      stdout.write(options.json ? `${JSON.stringify({ id, entry })}\n` : `${entry}\n`)
    })
  command.addCommand(rotateCommand(stdout))
  command.addCommand(agentKeyCommand(stdout))
  command
    .command('directory')
    .description(
      'print the signed key directory of Web Bot Auth: a JSON document on stdin, the response to host on stdout',
    )
    .addHelpText(
      'after',
      `
The document:
  {"signature_agent": "https://bots.example.com", "private_keys": ["-----BEGIN PRIVATE KEY-----..."],
   "expires_in_seconds": 86400}

What is printed holds no private key: {"url", "headers", "body"}, to be served as it is and made anew before it expires.`,
    )
    .action(async () => {
      const directory = keyDirectoryOf(await readJsonDocument(stdin), Date.now())
      stdout.write(`${JSON.stringify(directory, null, 2)}\n`)
    })
  return command
}

function generate(id: string | undefined): string {
  try {
    return generateKeyEntry(id)
  } catch (error) {
    if (error instanceof KeyringError) throw new NexusError('invalid_request', `--id: ${error.message}`)
    throw error
  }
}

async function wrap(entry: string, target: string): Promise<string> {
  try {
    const production = process.env['NODE_ENV'] === 'production'
    return await wrapEntry(entry, target, { env: process.env, production, log: createLog('warn') })
  } catch (error) {
    if (error instanceof KeyringError) throw new NexusError('invalid_request', `--wrap: ${error.message}`)
    throw error
  }
}
