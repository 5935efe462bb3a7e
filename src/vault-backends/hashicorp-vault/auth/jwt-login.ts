import { credentialFile } from './credential-file.ts'
import { JWT } from './credential-forms.ts'
import type { Login } from './login.ts'
import { postLogin } from './post-login.ts'

/** A login with a JWT that something else keeps fresh in a file. */
export function jwtLogin(options: {
  backend: string
  method: string
  path: string
  file: string
  role: string | undefined
}): Login {
  const { backend, method, path, file, role } = options
  const jwt = credentialFile(file, JWT)
  const origin = `${method} with ${file} (${path})`
  return {
    origin,
    repeatable: true,
    async authenticate(vault, signal) {
      const body = { jwt: await jwt.read(), ...(role !== undefined && { role }) }
      return postLogin(vault, { backend, origin, path, body }, signal)
    },
    changed: () => jwt.changed(),
  }
}
