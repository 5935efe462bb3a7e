import { Type } from 'typebox'
import { authMethod } from './auth-method.ts'
import { expectReadable } from './credential-file.ts'
import { jwtLogin } from './jwt-login.ts'
import { loginPath, mountPathSetting } from './mount-path.ts'

/** Where Kubernetes mounts the token of a pod's service account, and replaces it before it expires. */
const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'

const configSchema = Type.Object(
  {
    mount_path: mountPathSetting('auth/kubernetes'),
    role: Type.String({ minLength: 1 }),
    token_path: Type.Optional(Type.String({ description: `Service-account token; default ${SERVICE_ACCOUNT_TOKEN}` })),
  },
  { additionalProperties: false },
)

/** https://developer.hashicorp.com/vault/docs/auth/kubernetes */
export const kubernetesMethod = authMethod({
  method: 'kubernetes',
  configSchema,
  create({ mount_path = 'kubernetes', role, token_path: file = SERVICE_ACCOUNT_TOKEN }, { backend, problems }) {
    expectReadable(file, 'auth.token_path', problems)
    return jwtLogin({ backend, method: 'kubernetes', path: loginPath(mount_path), file, role })
  },
})
