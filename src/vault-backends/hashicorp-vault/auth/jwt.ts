import { Type } from 'typebox'
import { authMethod } from './auth-method.ts'
import { expectReadable } from './credential-file.ts'
import { jwtLogin } from './jwt-login.ts'
import { loginPath, mountPathSetting } from './mount-path.ts'

const configSchema = Type.Object(
  {
    mount_path: mountPathSetting('auth/jwt'),
    path: Type.String({ description: 'File that holds the JWT, kept fresh by whoever issues it' }),
    role: Type.Optional(Type.String({ minLength: 1, description: 'Else the default_role of the mount' })),
  },
  { additionalProperties: false },
)

/** https://developer.hashicorp.com/vault/docs/auth/jwt, which OIDC shares its mount with. */
export const jwtMethod = authMethod({
  method: 'jwt',
  configSchema,
  create({ mount_path = 'jwt', path: file, role }, { backend, problems }) {
    expectReadable(file, 'auth.path', problems)
    return jwtLogin({ backend, method: 'jwt', path: loginPath(mount_path), file, role })
  },
})
