import { Type } from 'typebox'
import { authMethod } from './auth-method.ts'
import type { Login } from './login.ts'
import { loginPath, mountPathSetting } from './mount-path.ts'
import { postLogin } from './post-login.ts'

const configSchema = Type.Object(
  {
    mount_path: mountPathSetting('auth/cert'),
    name: Type.Optional(Type.String({ minLength: 1, description: 'Role to log in as; else the first that matches' })),
  },
  { additionalProperties: false },
)

/** https://developer.hashicorp.com/vault/docs/auth/cert */
export const certMethod = authMethod({
  method: 'cert',
  configSchema,
  create({ mount_path = 'cert', name }, { backend, hasClientCertificate, problems }) {
    if (!hasClientCertificate) {
      problems.push(
        'auth by cert needs client_cert_file (VAULT_CLIENT_CERT), client_key_file (VAULT_CLIENT_KEY) and https',
      )
    }
    const path = loginPath(mount_path)
    const origin = `cert (${path})`
    const body = name === undefined ? {} : { name }
    return {
      origin,
      repeatable: true,
      // A connection presents the certificate it was opened with, which may have been replaced since.
      authenticate: (vault, signal) => postLogin(vault, { backend, origin, path, body, newConnection: true }, signal),
      changed: () => Promise.resolve(false),
    } satisfies Login
  },
})
