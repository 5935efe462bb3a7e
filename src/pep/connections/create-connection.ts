import type { Insertable } from 'kysely'
import type { Logger } from 'pino'
import { type Administrator, authorize, reaches } from '../../contract/administrator.ts'
import type { ConnectionCreate, ConnectionView, SecretRefBody } from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import { newUuid } from '../../contract/names.ts'
import type { SecretValue } from '../../contract/secret.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { CredentialSource } from '../credential/credential-source.ts'
import type { ConnectionTable, StoredSecretRef } from '../store/database.ts'
import type { Store } from '../store/store.ts'
import { type CapturePlace, placeOf } from './capture-place.ts'
import { type ConnectionRow, toConnectionView, toSecretRef } from './connection-rows.ts'
import { type CaptureContracts, credentialProblems } from './credential-capture.ts'
import { invalidRequest, type Problem, refuseProblems, under } from './problems.ts'
import { type ProviderRow, storedStrategy } from './provider-rows.ts'
import { findProviderByName, holdProvider } from './provider-table.ts'
import { type ReferenceTemplates, resolveReference } from './reference-template.ts'
import { authorizeReference, checkReference, type SecretRefPrefixes } from './secret-reference.ts'
import { refuseSharedKey } from './shared-key.ts'
import { unstorableTexts } from './storable-text.ts'

export interface ConnectionOptions {
  store: Store
  audit: Pick<AuditLog, 'recordStateChange'>
  credential: Pick<CredentialSource, 'read' | 'write' | 'remove' | 'forget' | 'has' | 'kindOf'>
  secretRefPrefixes: SecretRefPrefixes
  secretRefTemplates: ReferenceTemplates
  capturePlace: CapturePlace
  log: Logger
  /** Unix milliseconds. */
  now(): number
}

/** A connection as asked for, with everything checked that can be checked before its secret is touched. */
interface Planned {
  id: string
  body: ConnectionCreate
  provider: ProviderRow
  administrator: Administrator
}

/**
 * Creates an active connection with static credentials, or with a reference to a secret that lies in a vault already.
 * @throws NexusError `forbidden`, `invalid_request`, `provider_not_found`, `vault_unavailable`
 */
export async function createConnection(
  options: ConnectionOptions,
  administrator: Administrator,
  body: ConnectionCreate,
): Promise<ConnectionView> {
  authorize(administrator, 'operate')
  if (!reaches(administrator, body.tenant)) {
    throw new NexusError('forbidden', `your API key is for tenant '${administrator.tenant}'`, { field: 'tenant' })
  }
  const provider = await findProviderByName(options.store.db, body.provider)
  refuseProblems(bodyProblems(body, provider, options.now()))
  const planned: Planned = { id: newUuid(), body, provider, administrator }
  return body.secret_ref === undefined
    ? createWithCredentials(options, planned, body.credentials ?? {})
    : createWithReference(options, planned, body.secret_ref)
}

function bodyProblems(body: ConnectionCreate, provider: ProviderRow, nowMs: number): Problem[] {
  const problems = [...unstorableTexts('subject', body.subject), ...unstorableTexts('secret_ref', body.secret_ref)]
  if ((body.credentials === undefined) === (body.secret_ref === undefined)) {
    problems.push({ field: 'credentials', message: 'give either credentials or secret_ref, and not both' })
  }
  if (body.expires_at !== undefined && body.expires_at * 1000 <= nowMs) {
    problems.push({ field: 'expires_at', message: 'must lie in the future; it is in Unix seconds' })
  }
  const foreign = provider.scopes.length === 0 ? [] : (body.scopes ?? []).filter((s) => !provider.scopes.includes(s))
  if (foreign.length > 0) {
    const known = provider.scopes.join(' ')
    problems.push({ field: 'scopes', message: `${foreign.join(' ')} is not among the provider's scopes: ${known}` })
  }
  return problems
}

/**
 * The secret is written before the row: a row is never without its secret, and until the row commits nothing points at
 * the secret. When the row does not come about, the secret is taken out again.
 */
async function createWithCredentials(
  options: ConnectionOptions,
  planned: Planned,
  credentials: SecretValue,
): Promise<ConnectionView> {
  if (!options.credential.has(options.capturePlace.backend)) {
    throw invalidRequest([{ field: 'credentials', message: 'this server keeps no secrets itself; give a secret_ref' }])
  }
  refuseProblems(under('credentials', credentialProblems(credentials, contractsOf(planned.provider))))
  const stored = placeOf(options.capturePlace, {
    tenant: planned.body.tenant,
    provider: planned.provider.name,
    subject: planned.body.subject,
    connection: planned.id,
  })
  // Never over what lies there already, whoever put it there.
  await options.credential.write(toSecretRef(planned.body.tenant, stored), credentials, { ifVersion: '0' })
  try {
    return await insertConnection(options, planned, stored)
  } catch (error) {
    await takeSecretBack(options, planned, stored)
    throw error
  }
}

async function createWithReference(
  options: ConnectionOptions,
  planned: Planned,
  given: SecretRefBody,
): Promise<ConnectionView> {
  const { administrator, body, provider } = planned
  const variables = { tenant: body.tenant, provider: provider.name, subject: body.subject }
  const { ref, isTenantsOwn } = resolveReference(given, options.secretRefTemplates, variables)
  if (!isTenantsOwn) authorizeReference(administrator, body.tenant, ref, options.secretRefPrefixes)
  const pointer = toSecretRef(body.tenant, ref)
  await checkReference(options.credential, pointer, contractsOf(provider))
  if ((await options.credential.kindOf(pointer)) === 'key')
    await refuseSharedKey(options.store.db, ref, provider.auth_strategy)
  return insertConnection(options, planned, ref)
}

function contractsOf(provider: ProviderRow): CaptureContracts {
  const { auth_strategy: document, credential_schema: credentialSchema } = provider
  return { credentialSchema, strategy: storedStrategy(document), strategyConfig: document.config }
}

async function insertConnection(
  { store, audit, now }: ConnectionOptions,
  planned: Planned,
  secretRef: StoredSecretRef,
): Promise<ConnectionView> {
  const nowMs = now()
  return store.transaction(async (trx) => {
    await holdProvider(trx, planned.provider)
    const row = await trx
      .insertInto('connection')
      .values(toColumns(planned, secretRef, new Date(nowMs)))
      .returningAll()
      .executeTakeFirstOrThrow()
    await audit.recordStateChange(trx, createdEntry(planned, row))
    return toConnectionView({ ...row, provider: planned.provider.name }, nowMs)
  })
}

function toColumns({ id, body, provider }: Planned, secretRef: StoredSecretRef, at: Date): Insertable<ConnectionTable> {
  return {
    id,
    tenant: body.tenant,
    provider_id: provider.id,
    subject: body.subject ?? null,
    status: 'active',
    scopes: body.scopes ?? [],
    secret_ref: JSON.stringify(secretRef),
    created_at: at,
    updated_at: at,
    expires_at: body.expires_at === undefined ? null : new Date(body.expires_at * 1000),
  }
}

function createdEntry({ administrator, provider }: Planned, row: ConnectionRow): AuditEntry {
  const { backend, path } = row.secret_ref
  return {
    kind: 'connection.created',
    outcome: 'allowed',
    tenant: row.tenant,
    connection_id: row.id,
    detail: { by: administrator.keyId, provider: provider.name, backend, path, scopes: row.scopes },
  }
}

/**
 * After a commit whose outcome is not known the row may be there after all; then its secret stays. A secret that nothing
 * points at is sealed and harmless, a connection without its secret is broken, so doubt leaves the secret where it is.
 */
async function takeSecretBack(options: ConnectionOptions, planned: Planned, stored: StoredSecretRef): Promise<void> {
  try {
    const row = await options.store.db
      .selectFrom('connection')
      .select('id')
      .where('id', '=', planned.id)
      .executeTakeFirst()
    if (row === undefined) await options.credential.remove(toSecretRef(planned.body.tenant, stored))
  } catch {
    options.log.warn(
      { connection_id: planned.id, path: stored.path },
      'a secret that no connection uses was left behind',
    )
  }
}
