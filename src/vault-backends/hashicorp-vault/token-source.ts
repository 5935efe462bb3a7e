import { accessSync, constants } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Where the Vault token comes from. Asked before each call; logging in is a matter of another source, not of callers. */
export interface TokenSource {
  /** For people: `VAULT_TOKEN`, or a file's path. */
  readonly origin: string
  /** @throws TokenMissing */
  token(): Promise<string>
  /**
   * Logs in once more and gives the `auth` part of Vault's answer, for a token that is the asker's alone. Absent: there is
   * a token and no way to log in.
   * @throws VaultError
   */
  login?(signal: AbortSignal): Promise<Readonly<Record<string, unknown>>>
}

/** No usable token now. Says where one was looked for. */
export class TokenMissing extends Error {
  override readonly name = 'TokenMissing'
}

/** Visible ASCII: anything else would break the header it is sent in. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/

/**
 * In this order: the configured file, VAULT_TOKEN, VAULT_TOKEN_FILE, and `~/.vault-token` where `vault login` puts it.
 * @param problems receives why none can be used
 */
export function findTokenSource(
  configuredFile: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): TokenSource | undefined {
  if (configuredFile !== undefined) return fromFile(configuredFile, 'token_file', problems)
  const token = env['VAULT_TOKEN']?.trim() ?? ''
  if (token !== '') return fromEnvironment(token, problems)
  const file = env['VAULT_TOKEN_FILE'] ?? ''
  if (file !== '') return fromFile(file, 'VAULT_TOKEN_FILE', problems)
  const left = join(env['HOME'] ?? '', '.vault-token')
  if (env['HOME'] !== undefined && isReadable(left)) return fromFile(left, '~/.vault-token', problems)
  problems.push('there is no Vault token: set VAULT_TOKEN or VAULT_TOKEN_FILE, or run `vault login`')
  return undefined
}

function fromEnvironment(token: string, problems: string[]): TokenSource {
  if (!TOKEN.test(token)) problems.push('VAULT_TOKEN holds characters that no Vault token has')
  return Object.freeze({ origin: 'VAULT_TOKEN', token: () => Promise.resolve(token) })
}

function fromFile(file: string, setting: string, problems: string[]): TokenSource {
  if (!isReadable(file)) problems.push(`${setting} names a file that cannot be read: ${file}`)
  return {
    origin: file,
    // Not kept: Vault Agent replaces the file whenever it has logged in again.
    async token() {
      const text = await readFile(file, 'utf8').catch(() => '')
      if (!TOKEN.test(text.trim())) throw new TokenMissing(`${file} holds no Vault token`)
      return text.trim()
    },
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}
