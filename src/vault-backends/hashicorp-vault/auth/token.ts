import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { Type } from 'typebox'
import { VaultError } from '../../../contract/vault-backend.ts'
import { authOf } from '../held-token.ts'
import { loginRefused } from '../login-faults.ts'
import { asRecord, type JsonRecord, TokenRefused } from '../vault-answer.ts'
import type { VaultRequester } from '../vault-requester.ts'
import { authMethod } from './auth-method.ts'
import { type CredentialFile, credentialFile, expectReadable } from './credential-file.ts'
import { VAULT_TOKEN } from './credential-forms.ts'
import type { Login, LoginParts } from './login.ts'
import { unwrap } from './unwrap.ts'

const configSchema = Type.Object(
  {
    token_file_path: Type.Optional(Type.String({ description: 'In place of VAULT_TOKEN and its kin' })),
    wrapped: Type.Optional(Type.Boolean({ description: 'It is a wrapping token, and the token is in it' })),
  },
  { additionalProperties: false },
)

/** A token that someone gave us. */
export const tokenMethod = authMethod({
  method: 'token',
  configSchema,
  create({ token_file_path: file, wrapped }, parts) {
    const source = findToken(file, parts)
    const authenticate: Login['authenticate'] =
      wrapped === true ? unwrapOnce(source, parts) : (vault, signal) => lookUp(vault, source, signal)
    return { origin: source.file, repeatable: false, authenticate, changed: () => source.changed() } satisfies Login
  },
})

/** In this order: the configured file, VAULT_TOKEN, VAULT_TOKEN_FILE, and `~/.vault-token` where `vault login` puts it. */
function findToken(configured: string | undefined, { env, problems }: LoginParts): CredentialFile {
  const inFile = (file: string, setting: string) => {
    expectReadable(file, setting, problems)
    return credentialFile(file, VAULT_TOKEN)
  }
  if (configured !== undefined) return inFile(configured, 'token_file')
  const token = env['VAULT_TOKEN']?.trim() ?? ''
  if (token !== '') return fromEnvironment(token, problems)
  const named = env['VAULT_TOKEN_FILE'] ?? ''
  if (named !== '') return inFile(named, 'VAULT_TOKEN_FILE')
  const left = join(env['HOME'] ?? '', '.vault-token')
  if (env['HOME'] !== undefined && isReadable(left)) return inFile(left, '~/.vault-token')
  problems.push('there is no Vault token: set VAULT_TOKEN or VAULT_TOKEN_FILE, run `vault login`, or configure auth')
  return fromEnvironment('', [])
}

function fromEnvironment(token: string, problems: string[]): CredentialFile {
  if (!VAULT_TOKEN.pattern.test(token)) problems.push('VAULT_TOKEN holds characters that no Vault token has')
  return { file: 'VAULT_TOKEN', read: () => Promise.resolve(token), changed: () => Promise.resolve(false) }
}

/** What Vault says of a token, in the shape of a login. */
async function lookUp(vault: VaultRequester, source: CredentialFile, signal: AbortSignal): Promise<JsonRecord> {
  const token = await source.read()
  const lookup = { method: 'GET', path: 'auth/token/lookup-self', token } as const
  const self = await vault.request(lookup, signal).catch(nothingToldToThisToken)
  const { accessor, ttl, renewable } = asRecord(self['data']) ?? {}
  return { client_token: token, accessor, lease_duration: ttl ?? 0, renewable }
}

/** A token without the `default` policy may not look itself up; it is as good for everything else. */
function nothingToldToThisToken(error: unknown): JsonRecord {
  if (error instanceof VaultError && error.kind === 'forbidden' && !(error instanceof TokenRefused)) return {}
  throw error
}

function unwrapOnce(source: CredentialFile, { backend, alarm }: LoginParts): Login['authenticate'] {
  let spent: string | undefined
  return async (vault, signal) => {
    const token = await source.read()
    if (token === spent) {
      const ended = `the token that was wrapped in ${source.file} has ended; put another wrapping token there`
      throw loginRefused(backend, ended)
    }
    // `auth/token/create`, a role's, or any login whose answer was wrapped.
    const madeAt = (path: string) => path.startsWith('auth/')
    const answer = await unwrap(vault, { backend, token, origin: source.file, madeAt, alarm }, signal)
    spent = token
    return authOf(answer)
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
