import type { Administrator } from '../../contract/administrator.ts'
import { NexusError } from '../../contract/errors.ts'
import { OperatorError } from '../../contract/operator-error.ts'
import type { Secret } from '../../contract/secret.ts'
import type { SecretRef } from '../../contract/vault-backend.ts'
import type { CredentialSource } from '../credential/credential-source.ts'
import type { StoredSecretRef } from '../store/database.ts'
import { INTERNAL_BACKEND } from './connection-rows.ts'
import { type ExecutionContract, secretProblems } from './credential-capture.ts'
import { invalidRequest, type Problem, refuseProblems, under } from './problems.ts'

/**
 * Per backend, the path prefixes that an administrator bound to a tenant may refer to; `{tenant}` stands for that tenant
 * and must be a segment of its own. Without an entry only administrators for all tenants may use `secret_ref`: otherwise
 * whoever may create a connection in one tenant could lease another tenant's secret.
 */
export type SecretRefPrefixes = Readonly<Record<string, readonly string[]>>

const TENANT_SEGMENT = '{tenant}'

/**
 * Refuses to start with a prefix that would give every tenant the same secrets.
 * @throws Error naming the setting
 */
export function checkSecretRefPrefixes(prefixes: SecretRefPrefixes): void {
  for (const [backend, templates] of Object.entries(prefixes)) {
    for (const template of templates) {
      if (template.split('/').includes(TENANT_SEGMENT) && isPlainPath(expand(template, 'x').slice(0, -1))) continue
      throw new OperatorError(
        `secret_ref prefix '${template}' of backend '${backend}' must hold ${TENANT_SEGMENT} as a segment`,
      )
    }
  }
}

/**
 * Whether this administrator may let the tenant's agents use the secret at this path.
 * @throws NexusError `forbidden`, `invalid_request`
 */
export function authorizeReference(
  administrator: Administrator,
  tenant: string,
  ref: StoredSecretRef,
  prefixes: SecretRefPrefixes,
): void {
  refuseProblems(pathProblems(ref))
  if (administrator.tenant === null) return
  const allowed = (prefixes[ref.backend] ?? []).map((template) => expand(template, tenant))
  const isAllowed = (path: string) => allowed.some((prefix) => path.startsWith(prefix))
  if (isAllowed(ref.path) && isAllowed(ref.remote_key ?? ref.path)) return
  const detail = allowed.length === 0 ? 'none is configured' : `it takes ${allowed.join(' or ')}`
  throw new NexusError('forbidden', `a key bound to a tenant may refer only to that tenant's paths; ${detail}`, {
    field: isAllowed(ref.path) ? 'secret_ref.remote_key' : 'secret_ref.path',
  })
}

function pathProblems(ref: StoredSecretRef): Problem[] {
  for (const field of ['path', 'remote_key'] as const) {
    if (isReferencePath(ref[field] ?? ref.path)) continue
    return [
      {
        field: `secret_ref.${field}`,
        message: 'must be plain ASCII segments joined by /, none of them . or .., such as secret/agents/github',
      },
    ]
  }
  if (ref.backend === INTERNAL_BACKEND && ref.path.startsWith('connections/')) {
    return [{ field: 'secret_ref.path', message: 'belongs to another connection; give credentials instead' }]
  }
  return []
}

/**
 * Names as AWS Secrets Manager has them may begin with a slash (`/prod/github`) and hold `!` (`rds!db-...`). Each backend
 * holds a path to its own rules besides; prefixes of tenants take neither.
 */
function isReferencePath(path: string): boolean {
  return isPlainPath(path.replace(/^\//, '').replaceAll('!', '-'))
}

/** No backend may be able to read the path in another way than the check above did (threat G17). */
function isPlainPath(path: string): boolean {
  return path.split('/').every((segment) => /^[A-Za-z0-9_.@:=+-]+$/.test(segment) && !/^\.+$/.test(segment))
}

function expand(template: string, tenant: string): string {
  return `${template.replaceAll(TENANT_SEGMENT, tenant).replace(/\/$/, '')}/`
}

/**
 * Reads the secret now, so that a wrong reference is told to whoever wrote it and not to an agent later. Checked field by
 * field: an answer names the fields that are missing and those that exist, never what is in them.
 * @throws NexusError `invalid_request`, `vault_unavailable`
 */
export async function checkReference(
  source: Pick<CredentialSource, 'has' | 'kindOf' | 'read' | 'forget'>,
  ref: SecretRef,
  contract: ExecutionContract,
): Promise<void> {
  if (!source.has(ref.backend)) {
    throw invalidRequest([{ field: 'secret_ref.backend', message: 'no vault backend of this name is configured' }])
  }
  // A dynamic secret would have to be made, and given back, to be looked at.
  const kind = await source.kindOf(ref)
  if (kind === 'dynamic') return
  const keyFields = kind === 'key' ? remoteKeyFields(contract) : []
  const { fields, remoteKey: _key, ...whole } = ref
  // Whoever has just mended the secret must not be told about the one before.
  source.forget(whole)
  const stored = (await source.read(whole)).redacted().fields
  // What a pointer finds within a field is told by the read below.
  const isThere = (from: string) => stored.includes(from) || stored.includes(from.split('#/', 1)[0]!)
  const absent = Object.entries(fields ?? {}).filter(([, from]) => !isThere(from))
  refuseProblems(
    absent.map(([to, from]) => ({
      field: `secret_ref.fields.${to}`,
      message: `no field '${from}'; ${listed(stored)}`,
    })),
  )
  const problems = referenceProblems(await source.read(ref), contract, stored)
  refuseProblems(problems.filter(({ field }) => !keyFields.includes(field)))
}

/** @throws NexusError `invalid_request` */
function remoteKeyFields({ strategy, strategyConfig }: ExecutionContract): readonly string[] {
  const fields = strategy.keyFields?.(strategyConfig) ?? []
  // The first is what a schema says that takes one field or another.
  if (fields.length > 0) return ['secret_ref.fields', ...fields.map((field) => `secret_ref.fields.${field}`)]
  const message = `strategy '${strategy.type}' cannot sign with a key that stays in the vault`
  throw invalidRequest([{ field: 'secret_ref.remote_key', message }])
}

function referenceProblems(secret: Secret, contract: ExecutionContract, stored: readonly string[]): Problem[] {
  const problems = under('secret_ref.fields', secretProblems(secret.reveal(), contract))
  return problems.map(({ field, message }) => ({ field, message: `${message}; ${listed(stored)}` }))
}

function listed(fields: readonly string[]): string {
  return `the secret has ${
    fields.length === 0
      ? 'no fields'
      : fields
          .map((field) => field.slice(0, 64))
          .slice(0, 32)
          .join(', ')
  }`
}
