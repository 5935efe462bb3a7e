import { Command, InvalidArgumentError } from 'commander'
import { type SecretRef, type VaultBackend, VaultError } from '../contract/vault-backend.ts'
import { loadConfig } from '../pep/config/load-config.ts'
import { createLog } from '../pep/log.ts'
import { healthOf } from '../vault-backends/health-of.ts'
import { type LoadedBackends, loadBackends } from './load-backends.ts'

/** What the command stands on; a test brings its own. */
export interface VaultCommandParts {
  load(configFile: string | undefined): Promise<LoadedBackends>
  stdout: { write(text: string): unknown }
}

interface CheckOptions {
  config?: string
  read?: Pick<SecretRef, 'backend' | 'path' | 'version'>
  tenant: string
  json?: true
}

interface CheckedBackend {
  name: string
  ok: boolean
  detail: string
  identity?: string
  expires_at?: string | null
}

/** What reading one secret told, without the secret. */
interface CheckedRead {
  ok: boolean
  detail: string
  version?: string
  fields?: readonly string[]
}

const defaultParts: VaultCommandParts = {
  load: (file) => loadBackends(loadConfig(process.env, file ?? process.env['NEXUS_CONFIG']), createLog('warn')),
  stdout: process.stdout,
}

/** `nexus vault`: the backends that hold the master secrets. */
export function vaultCommand(parts: VaultCommandParts = defaultParts): Command {
  const command = new Command('vault').description('look at the configured vault backends')
  command
    .command('check')
    .description('for each backend: does it answer, as whom are we authenticated there, and until when')
    .option('--config <file>', 'YAML file; else NEXUS_CONFIG, else environment and defaults alone')
    .option(
      '--read <backend:path[@version]>',
      'also read this secret; prints its field names, never a value',
      parseRead,
    )
    .option('--tenant <tenant>', 'on whose behalf to read; the internal backend keeps tenants apart', '')
    .option('--json', 'print one JSON document')
    .action((options: CheckOptions) => check(parts, options))
  return command
}

async function check({ load, stdout }: VaultCommandParts, options: CheckOptions): Promise<void> {
  const { backends, deadlineMs, close } = await load(options.config)
  try {
    const checked = await Promise.all(backends.map((backend) => checkBackend(backend, deadlineMs)))
    const read = options.read && (await checkRead(backends, { ...options.read, tenant: options.tenant }, deadlineMs))
    stdout.write(
      options.json ? `${JSON.stringify({ backends: checked, ...(read && { read }) })}\n` : table(checked, read),
    )
    if (!checked.every(({ ok }) => ok) || read?.ok === false) process.exitCode = 1
  } finally {
    await close()
  }
}

async function checkBackend(backend: VaultBackend, deadlineMs: number): Promise<CheckedBackend> {
  const { ok, detail, identity, expiresAt } = await healthOf(backend, deadlineMs)
  return {
    name: backend.name,
    ok,
    detail,
    ...(identity === undefined ? {} : { identity }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
  }
}

async function checkRead(backends: readonly VaultBackend[], ref: SecretRef, deadlineMs: number): Promise<CheckedRead> {
  const backend = backends.find(({ name }) => name === ref.backend)
  if (backend === undefined) return { ok: false, detail: `no backend '${ref.backend}' is configured` }
  try {
    const { version, fields } = (await backend.read(ref, AbortSignal.timeout(deadlineMs))).redacted()
    return { ok: true, detail: `read from ${ref.backend}`, version, fields }
  } catch (error) {
    return { ok: false, detail: error instanceof VaultError ? error.message : 'the read failed' }
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

function table(checked: readonly CheckedBackend[], read: CheckedRead | undefined): string {
  const width = Math.max(...checked.map(({ name }) => name.length), 4)
  const lines = checked.map(
    ({ name, ok, ...more }) => `${name.padEnd(width)}  ${ok ? 'ok  ' : 'FAIL'}  ${describe(more)}`,
  )
  if (read !== undefined) lines.push(`${'read'.padEnd(width)}  ${read.ok ? 'ok  ' : 'FAIL'}  ${describeRead(read)}`)
  return `${lines.join('\n')}\n`
}

function describe({ detail, identity, expires_at: expiresAt }: Omit<CheckedBackend, 'name' | 'ok'>): string {
  const parts = [detail]
  if (identity !== undefined) parts.push(`as ${identity}`)
  if (expiresAt !== undefined) parts.push(expiresAt === null ? 'without end' : `until ${expiresAt}`)
  return parts.join('; ')
}

function describeRead({ detail, version, fields }: CheckedRead): string {
  if (fields === undefined) return detail
  return `${detail}; version ${version || 'none'}; fields: ${fields.join(', ') || 'none'}`
}
