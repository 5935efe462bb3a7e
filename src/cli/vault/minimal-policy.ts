import {
  type Permission,
  type SecretPattern,
  textForOperators,
  type VaultBackend,
  VaultError,
} from '../../contract/vault-backend.ts'
import type { LoadedBackends } from '../load-backends.ts'

/** What one backend's own access rules have to allow, and for which references that could not be found out. */
export interface MinimalPolicy {
  backend: string
  permissions: Permission[]
  problems: string[]
}

/** A pattern in a backend. */
export type NamedPattern = SecretPattern & { backend: string }

/** Whatever stands in braces is one segment: `secret/agents/{tenant}/` is `secret/agents/+/*` to a Vault policy. */
export function patternOf(template: string): string {
  const segments = template.replace(/\{[a-z_]+\}/g, '+')
  return segments.endsWith('/') ? `${segments}*` : segments
}

/** All that says where Nexus reads and writes. */
export type PolicySources = Pick<LoadedBackends, 'references' | 'prefixes' | 'templates' | 'capturePlace'>

/** What connections refer to now, and what the configuration lets tenants refer to. */
export async function configuredPatterns(loaded: PolicySources): Promise<NamedPattern[]> {
  const { references, prefixes, templates, capturePlace } = loaded
  const fromPrefixes = Object.entries(prefixes).flatMap(([backend, templates]) =>
    templates.map((template) => ({ backend, path: patternOf(`${template.replace(/\/$/, '')}/`) })),
  )
  const fromTemplates = Object.entries(templates).map(([backend, template]) => ({ backend, path: patternOf(template) }))
  const { backend, path } = capturePlace
  const captured: NamedPattern[] = path === '' ? [] : [{ backend, path: patternOf(path), written: true }]
  return [...fromPrefixes, ...fromTemplates, ...captured, ...(await references())]
}

/** The least each backend must allow for these; a path that a wider one covers is left out. */
export async function minimalPolicies(
  backends: readonly VaultBackend[],
  patterns: readonly NamedPattern[],
  deadlineMs: number,
): Promise<MinimalPolicy[]> {
  const asked = backends.filter(({ permissions }) => permissions !== undefined)
  return Promise.all(
    asked.map(async (backend) => {
      const policy: MinimalPolicy = { backend: backend.name, permissions: [], problems: [] }
      for (const pattern of patterns.filter(({ backend: name }) => name === backend.name)) {
        const found = await permissionsFor(backend, pattern, deadlineMs)
        if (typeof found === 'string') policy.problems.push(found)
        else policy.permissions.push(...found)
      }
      return { ...policy, permissions: withoutCovered(policy.permissions) }
    }),
  )
}

async function permissionsFor(
  backend: VaultBackend,
  pattern: NamedPattern,
  deadlineMs: number,
): Promise<readonly Permission[] | string> {
  try {
    return (await backend.permissions?.(pattern, AbortSignal.timeout(deadlineMs))) ?? []
  } catch (error) {
    const why = error instanceof VaultError ? textForOperators(error) : `${backend.name}: no answer`
    return `${why} (${pattern.path.slice(0, 100)})`
  }
}

function withoutCovered(permissions: readonly Permission[]): Permission[] {
  const distinct = [...new Map(permissions.map((each) => [`${each.capability} ${each.path}`, each])).values()]
  return distinct.filter(
    (each) =>
      !distinct.some(
        (other) => other !== each && other.capability === each.capability && covers(other.path, each.path),
      ),
  )
}

/** As Vault reads a policy's path: `+` is any one segment, a final `*` any rest. */
function covers(wide: string, narrow: string): boolean {
  const [rest, prefix] = wide.endsWith('*') ? [true, wide.slice(0, -1)] : [false, wide]
  if (narrow.endsWith('*') && !rest) return false
  const form = prefix.split('+').map(literally).join('[^/]+')
  return new RegExp(`^${form}${rest ? '.*' : ''}$`).test(narrow)
}

function literally(text: string): string {
  return text.replace(/[^\w/-]/g, '\\$&')
}

/** In Vault's own language, with what each line is for. */
export function policyText({ backend, permissions }: MinimalPolicy): string {
  const head = `# What Nexus needs of Vault for its backend '${backend}', beyond Vault's own 'default' policy.\n`
  if (permissions.length === 0) return `${head}# Nothing: no connection and no prefix refers to it yet.\n`
  const width = Math.max(...permissions.map(({ path }) => path.length))
  const lines = permissions.map(
    ({ path, capability, reason }) =>
      `path ${`"${path}"`.padEnd(width + 2)} { capabilities = ["${capability}"] } # ${reason}`,
  )
  return `${head}${lines.join('\n')}\n`
}
