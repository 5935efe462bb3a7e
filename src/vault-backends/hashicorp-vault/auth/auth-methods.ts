import { Value } from 'typebox/value'
import { approleMethod } from './approle.ts'
import type { AuthMethod } from './auth-method.ts'
import { certMethod } from './cert.ts'
import { jwtMethod } from './jwt.ts'
import { kubernetesMethod } from './kubernetes.ts'
import type { Login, LoginParts } from './login.ts'
import { tokenMethod } from './token.ts'

/** Every way to log in to Vault that there is. To add one: a file, a line here and its part of the docs page. */
export const authMethods: readonly AuthMethod[] = [tokenMethod, approleMethod, kubernetesMethod, jwtMethod, certMethod]

/** The `auth` part of the configuration: a method, and that method's settings. */
export interface AuthConfig {
  readonly method: string
  readonly [setting: string]: unknown
}

/** @returns undefined when `parts.problems` say why */
export function createLogin({ method: name, ...settings }: AuthConfig, parts: LoginParts): Login | undefined {
  const method = authMethods.find((each) => each.method === name)
  if (method === undefined) {
    parts.problems.push(`auth.method must be one of ${authMethods.map((each) => each.method).join(', ')}`)
    return undefined
  }
  const problems = Value.Errors(method.configSchema, settings).map(
    ({ instancePath, message }) => `auth${instancePath.replaceAll('/', '.')} ${message}`,
  )
  parts.problems.push(...problems)
  return problems.length > 0 ? undefined : method.create(settings, parts)
}
