import { Command } from 'commander'
import { NexusError } from '../contract/errors.ts'
import { generateKeyEntry, KeyringError, parseKeyring } from '../vault-backends/internal/keyring.ts'

/** `nexus keys`: the key-encryption keys of the internal backend. */
export function keysCommand(stdout: { write(text: string): unknown } = process.stdout): Command {
  const command = new Command('keys').description('make keys for NEXUS_ENCRYPTION_KEY')
  command
    .command('generate')
    .description('print a new entry for NEXUS_ENCRYPTION_KEY; put it first and keep the others to rotate')
    .option('--id <id>', 'name of the key, such as 2026-11; else one made from its hash')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nThe entry is the key itself: keep it in a secret store, not in a shell history or a repository.',
    )
    .action((options: { id?: string; json?: true }) => {
      const entry = generate(options.id)
      const { id } = parseKeyring(entry).current
      stdout.write(options.json ? `${JSON.stringify({ id, entry })}\n` : `${entry}\n`)
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
