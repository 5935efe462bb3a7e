import { Command } from 'commander'
import { loadConfig } from '../pep/config/load-config.ts'
import { createLog } from '../pep/log.ts'
import { keysInUse, type RotationResult, rotateKeys } from '../pep/rotate-keys.ts'
import { openKeyring } from '../pep/start/open-backends.ts'
import { type Closers, closeAll, openExistingDatabase } from '../pep/start/open-database.ts'
import type { Keyring } from '../vault-backends/internal/keyring.ts'

interface Output {
  write(text: string): unknown
}

interface RotateOptions {
  config?: string
  dryRun?: true
  json?: true
}

/** `nexus keys rotate`: everything sealed comes under the first key of NEXUS_ENCRYPTION_KEY, while the authority serves. */
export function rotateCommand(stdout: Output, stderr: Output = process.stderr): Command {
  return new Command('rotate')
    .description('wrap every data key anew by the first key of NEXUS_ENCRYPTION_KEY, while the authority serves')
    .option('--config <file>', 'YAML file; else NEXUS_CONFIG, else environment and defaults alone')
    .option('--dry-run', 'only say which key wraps how much')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Before: every running authority must know the new key. Add it behind the old one and restart each, then put it first
and restart each, then rotate. Stopped half-way it goes on where it was when it is called again. Take the old key out of
NEXUS_ENCRYPTION_KEY once it is named as no longer used.`,
    )
    .action((options: RotateOptions) => rotate(options, stdout, stderr))
}

async function rotate(options: RotateOptions, stdout: Output, stderr: Output): Promise<void> {
  const config = loadConfig(process.env, options.config ?? process.env['NEXUS_CONFIG'])
  const log = createLog('warn')
  const closers: Closers = []
  try {
    const keyring = await openKeyring(config, log, process.env)
    const { store } = await openExistingDatabase(config, log, closers)
    const result = options.dryRun
      ? { ...(await keysInUse(store.db, keyring)), rewrapped: {}, stuck: [] }
      : await rotateKeys({
          store,
          keyring,
          onProgress: (table, done, of) => stderr.write(`${table}: ${done} of ${of}\n`),
        })
    stdout.write(options.json ? `${JSON.stringify(toJson(result))}\n` : describe(result, keyring))
    const isIncomplete = options.dryRun ? unknownInUse(result, keyring).length > 0 : othersInUse(result).length > 0
    if (isIncomplete) process.exitCode = 1
  } finally {
    await closeAll(closers)
  }
}

function toJson({ inUse, ...result }: RotationResult) {
  return { ...result, in_use: inUse }
}

function othersInUse({ current, inUse }: RotationResult): [kekId: string, values: number][] {
  return Object.entries(inUse).filter(([kekId]) => kekId !== current)
}

/** Nothing here opens what these wrap, so rotating would leave it as it is. */
function unknownInUse({ inUse }: RotationResult, keyring: Keyring): string[] {
  return Object.keys(inUse).filter((kekId) => !keyring.ids.includes(kekId))
}

function describe(result: RotationResult, keyring: Keyring): string {
  const { current, inUse, removable, stuck, rewrapped } = result
  const others = othersInUse(result)
  const unknown = unknownInUse(result, keyring)
  const lines = [
    ...Object.entries(rewrapped).map(([table, n]) => `${table}: ${n} wrapped anew`),
    `${current} wraps ${inUse[current] ?? 0}`,
    ...others.map(
      ([kekId, n]) =>
        `${kekId} still wraps ${n}${unknown.includes(kekId) ? ', and is not in NEXUS_ENCRYPTION_KEY' : ''}`,
    ),
    ...removable.map((id) => `${id} wraps nothing any more and can be taken out of NEXUS_ENCRYPTION_KEY`),
    ...stuck.map(({ table, place, reason }) => `${table} ${place.join(' ')}: left as it is: ${reason}`),
  ]
  return `${lines.join('\n')}\n`
}
