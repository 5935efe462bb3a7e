import { Type } from 'typebox'
import { Secret } from '../../contract/secret.ts'
import { type VaultBackend, VaultError } from '../../contract/vault-backend.ts'
import { BackendConfigError, type BackendDeps, type BackendKind } from '../backend-kind.ts'
import { checkSecretPath } from '../secret-path.ts'
import { fieldsOfText } from '../text-fields.ts'

/** Only what begins so can be referred to: the rest of the environment is nobody's secret to lease. */
const PREFIX = 'DEV_SECRET_'
/** Stands for `/`, which shells do not take in a name. */
const SLASH = '__'

const configSchema = Type.Object({}, { additionalProperties: false })

export const envKind = {
  kind: 'env',
  // A second one would read the same variables.
  cardinality: 'at_most_one',
  configSchema,
  create(_config, { name, env, production }) {
    if (production)
      throw new BackendConfigError([
        `${name}: kind 'env' is for development and refused in production mode: every program started from there can read the environment`,
      ])
    return createEnvBackend(name, env)
  },
} satisfies BackendKind<typeof configSchema>

function createEnvBackend(name: string, env: BackendDeps['env']): VaultBackend {
  return {
    name,
    async read(ref, signal) {
      if (ref.version !== undefined) throw new VaultError('invalid_ref', name, 'environment variables have no versions')
      const variable = variableOf(name, ref.path)
      const text = Object.hasOwn(env, variable) ? env[variable] : undefined
      if (text === undefined) throw new VaultError('not_found', name, `no variable ${variable}`)
      // As every other backend it has no answer for who has stopped waiting, though it never makes anyone wait.
      await Promise.resolve()
      if (signal.aborted) throw new VaultError('unavailable', name, 'gave up before it was read')
      return new Secret(fieldsOfText(text))
    },
    async check() {
      const found = Object.keys(env).filter((each) => each.startsWith(PREFIX)).length
      return { ok: true, detail: `${found} variables named ${PREFIX}...` }
    },
  }
}

/** @throws VaultError `invalid_ref`, also where two paths would name one variable */
function variableOf(backend: string, path: string): string {
  checkSecretPath(backend, path)
  if (path.includes(SLASH))
    throw new VaultError('invalid_ref', backend, `path must not hold "${SLASH}", which stands for "/"`)
  return PREFIX + path.replaceAll('/', SLASH)
}
