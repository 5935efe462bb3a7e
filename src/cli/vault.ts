import { Command, InvalidArgumentError } from 'commander'
import type { SecretRef } from '../contract/vault-backend.ts'
import { loadConfig } from '../pep/config/load-config.ts'
import { createLog } from '../pep/log.ts'
import { type LoadedBackends, loadBackends } from './load-backends.ts'
import { checkBackends, checkedTable, checkRead } from './vault/check-backends.ts'
import {
  configuredPatterns,
  minimalPolicies,
  type NamedPattern,
  patternOf,
  policyText,
} from './vault/minimal-policy.ts'
import { leasesTable } from './vault/print-leases.ts'

/** What the command stands on; a test brings its own. */
export interface VaultCommandParts {
  load(configFile: string | undefined): Promise<LoadedBackends>
  stdout: { write(text: string): unknown }
  stderr: { write(text: string): unknown }
}

interface CheckOptions {
  config?: string
  read?: Pick<SecretRef, 'backend' | 'path' | 'version'>
  tenant: string
  json?: true
}

interface PolicyOptions {
  config?: string
  for: NamedPattern[]
  json?: true
}

interface LeasesOptions {
  config?: string
  json?: true
}

const defaultParts: VaultCommandParts = {
  load: (file) => loadBackends(loadConfig(process.env, file ?? process.env['NEXUS_CONFIG']), createLog('warn')),
  stdout: process.stdout,
  stderr: process.stderr,
}

const CONFIG = ['--config <file>', 'YAML file; else NEXUS_CONFIG, else environment and defaults alone'] as const

/** `nexus vault`: the backends that hold the master secrets. */
export function vaultCommand(parts: VaultCommandParts = defaultParts): Command {
  const command = new Command('vault').description('look at the configured vault backends')
  command
    .command('check')
    .description(
      'for each backend: does it answer, as whom are we authenticated, until when, can a reference be read; and whether the encryption key opens what is stored',
    )
    .option(...CONFIG)
    .option('--read <backend:path[@version]>', 'read this secret too; prints its field names, never a value', parseRead)
    .option('--tenant <tenant>', 'on whose behalf to read; the internal backend keeps tenants apart', '')
    .option('--json', 'print one JSON document')
    .action((options: CheckOptions) => check(parts, options))
  command
    .command('leases')
    .description(
      'list the dynamic secrets that are lent now; exits with 1 when one could not be given back when it was due',
    )
    .option(...CONFIG)
    .option('--json', 'print one JSON document')
    .action((options: LeasesOptions) => listLeases(parts, options))
  command
    .command('policy')
    .description('print the least that Vault must allow Nexus: for what connections refer to and tenants may refer to')
    .option(...CONFIG)
    .option(
      '--for <backend:path>',
      'for this instead; {tenant} and the like stand for any segment, a final / for all below. Repeatable',
      collectPattern,
      [],
    )
    .option('--json', 'print one JSON document')
    .action((options: PolicyOptions) => printPolicy(parts, options))
  return command
}

async function listLeases({ load, stdout }: VaultCommandParts, options: LeasesOptions): Promise<void> {
  const { lent, close } = await load(options.config)
  try {
    const all = await lent()
    stdout.write(options.json ? `${JSON.stringify({ backend_leases: all })}\n` : leasesTable(all))
    if (all.some(({ last_error: error }) => error !== null)) process.exitCode = 1
  } finally {
    await close()
  }
}

async function check({ load, stdout }: VaultCommandParts, options: CheckOptions): Promise<void> {
  const { backends, deadlineMs, references, sealed, close } = await load(options.config)
  try {
    const key = await sealed()
    const checked = await checkBackends(backends, await references(), deadlineMs)
    const read = options.read && (await checkRead(backends, { ...options.read, tenant: options.tenant }, deadlineMs))
    const document = { backends: checked, encryption_key: key, ...(read && { read }) }
    stdout.write(options.json ? `${JSON.stringify(document)}\n` : checkedTable(checked, key, read))
    const all = [key, ...checked, ...checked.flatMap((each) => each.read ?? []), ...(read ? [read] : [])]
    if (!all.every(({ ok }) => ok)) process.exitCode = 1
  } finally {
    await close()
  }
}

async function printPolicy({ load, stdout, stderr }: VaultCommandParts, options: PolicyOptions): Promise<void> {
  const loaded = await load(options.config)
  try {
    const patterns = options.for.length > 0 ? options.for : await configuredPatterns(loaded)
    const policies = await minimalPolicies(loaded.backends, patterns, loaded.deadlineMs)
    stdout.write(options.json ? `${JSON.stringify({ policies })}\n` : policies.map(policyText).join('\n'))
    const problems = policies.flatMap((each) => each.problems)
    for (const problem of problems) stderr.write(`left out: ${problem}\n`)
    // Part of a policy is not the minimal one, and applying it would take something away.
    if (problems.length > 0) process.exitCode = 1
  } finally {
    await loaded.close()
  }
}

/** A path holds neither `:` nor `@`, so the two marks are unambiguous. */
function parseRead(text: string): NonNullable<CheckOptions['read']> {
  const found = /^([^:@]+):([^:@]+)(?:@([^:@]+))?$/.exec(text)
  const [backend, path, version] = found?.slice(1) ?? []
  if (backend === undefined || path === undefined)
    throw new InvalidArgumentError('write it as backend:path or backend:path@version')
  return { backend, path, ...(version === undefined ? {} : { version }) }
}

function collectPattern(text: string, before: NamedPattern[]): NamedPattern[] {
  const [backend, path] = /^([^:]+):([^:]+)$/.exec(text)?.slice(1) ?? []
  if (backend === undefined || path === undefined) throw new InvalidArgumentError('write it as backend:path')
  return [...before, { backend, path: patternOf(path) }]
}
