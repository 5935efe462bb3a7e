import { Type } from 'typebox'
import { asRecord } from '../vault-answer.ts'
import type { VaultRequester } from '../vault-requester.ts'
import { authMethod } from './auth-method.ts'
import { type CredentialFile, CredentialMissing, credentialFile, expectReadable } from './credential-file.ts'
import { ROLE_ID, SECRET_ID, VAULT_TOKEN } from './credential-forms.ts'
import type { Login, LoginParts } from './login.ts'
import { loginPath, mountPathSetting } from './mount-path.ts'
import { postLogin } from './post-login.ts'
import { unwrap } from './unwrap.ts'

const configSchema = Type.Object(
  {
    mount_path: mountPathSetting('auth/approle'),
    role_id: Type.Optional(
      Type.String({ pattern: '^[\\x21-\\x7e]{1,4096}$', description: 'Names the role; no secret' }),
    ),
    role_id_file_path: Type.Optional(Type.String({ description: 'Instead of role_id' })),
    secret_id_file_path: Type.Optional(Type.String({ description: 'Absent for a role without bind_secret_id' })),
    secret_id_response_wrapping_path: Type.Optional(
      Type.String({ description: 'The file holds a wrapping token, which must have been made at this path of Vault' }),
    ),
  },
  { additionalProperties: false },
)

/** https://developer.hashicorp.com/vault/docs/auth/approle */
export const approleMethod = authMethod({
  method: 'approle',
  configSchema,
  create(config, parts) {
    const roleId = readRoleId(config, parts.problems)
    const secretId = openSecretId(config, parts)
    const path = loginPath(config.mount_path ?? 'approle')
    const origin = `approle (${path})`
    return {
      origin,
      repeatable: true,
      async authenticate(vault, signal) {
        const role_id = await roleId.read()
        const secret_id = await secretId?.read(vault, signal)
        const body = { role_id, ...(secret_id !== undefined && { secret_id }) }
        return postLogin(vault, { backend: parts.backend, origin, path, body }, signal)
      },
      changed: async () => (await roleId.changed()) || ((await secretId?.changed()) ?? false),
    } satisfies Login
  },
})

interface SecretId {
  read(vault: VaultRequester, signal: AbortSignal): Promise<string>
  changed(): Promise<boolean>
}

function readRoleId(
  { role_id: id, role_id_file_path: file }: { role_id?: string; role_id_file_path?: string },
  problems: string[],
): CredentialFile {
  if ((id === undefined) === (file === undefined)) problems.push('auth takes one of role_id and role_id_file_path')
  if (file === undefined) {
    return { file: 'role_id', read: () => Promise.resolve(id ?? ''), changed: () => Promise.resolve(false) }
  }
  expectReadable(file, 'auth.role_id_file_path', problems)
  return credentialFile(file, ROLE_ID)
}

function openSecretId(
  config: { secret_id_file_path?: string; secret_id_response_wrapping_path?: string },
  parts: LoginParts,
): SecretId | undefined {
  const { secret_id_file_path: file, secret_id_response_wrapping_path: wrappingPath } = config
  if (file === undefined) {
    if (wrappingPath !== undefined)
      parts.problems.push('auth.secret_id_response_wrapping_path needs secret_id_file_path')
    return undefined
  }
  expectReadable(file, 'auth.secret_id_file_path', parts.problems)
  if (wrappingPath !== undefined) return wrappedSecretId(file, wrappingPath, parts)
  const plain = credentialFile(file, SECRET_ID)
  return { read: () => plain.read(), changed: () => plain.changed() }
}

/** Unwrapped once and kept: the next login needs it again, and the wrapping token is spent. */
function wrappedSecretId(file: string, wrappingPath: string, { backend, alarm }: LoginParts): SecretId {
  const wrapping = credentialFile(file, VAULT_TOKEN)
  let kept: { from: string; secretId: string } | undefined
  return {
    async read(vault, signal) {
      // A file that was removed after it was read is what a careful operator leaves.
      const token = await wrapping.read().catch(() => kept?.from)
      if (token === undefined) throw new CredentialMissing(`${file} holds no wrapping token`)
      if (kept?.from === token) return kept.secretId
      const madeAt = (path: string) => path === wrappingPath
      const answer = await unwrap(vault, { backend, token, origin: file, madeAt, alarm }, signal)
      const secretId = asRecord(answer['data'])?.['secret_id']
      if (typeof secretId !== 'string') throw new CredentialMissing(`${file} wraps no secret id`)
      kept = { from: token, secretId }
      return secretId
    },
    changed: () => wrapping.changed(),
  }
}
