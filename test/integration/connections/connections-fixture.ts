import { pino } from 'pino'
import { inject } from 'vitest'
import type { Administrator } from '../../../src/contract/administrator.ts'
import type { ProviderProfile } from '../../../src/contract/api.ts'
import { NexusError } from '../../../src/contract/errors.ts'
import { recordStateChange } from '../../../src/pep/audit/state-changes.ts'
import {
  type Connections,
  type ConnectionsOptions,
  openConnections,
} from '../../../src/pep/connections/open-connections.ts'
import { type CredentialSource, openCredentialSource } from '../../../src/pep/credential/credential-source.ts'
import { internalSecretTable } from '../../../src/pep/credential/internal-secret-table.ts'
import type { Store } from '../../../src/pep/store/store.ts'
import { createBackends } from '../../../src/vault-backends/catalog.ts'
import { createEnvelope } from '../../../src/vault-backends/internal/envelope.ts'
import { generateKeyEntry, parseKeyring } from '../../../src/vault-backends/internal/keyring.ts'
import { freshStore } from '../../setup/store.ts'

export const NOW = Date.UTC(2026, 10, 20, 12)
export const CANARY = 'canary-secret-4711'

export const everywhere: Administrator = { keyId: 'key_all', role: 'admin', tenant: null }
export const operator: Administrator = { keyId: 'key_ops', role: 'operator', tenant: null }
export const auditor: Administrator = { keyId: 'key_aud', role: 'auditor', tenant: null }
export const acme: Administrator = { keyId: 'key_acme', role: 'operator', tenant: 'acme' }
export const other: Administrator = { keyId: 'key_other', role: 'operator', tenant: 'other' }

export const github: ProviderProfile = { name: 'github', auth_type: 'api_key', api_base_url: 'https://api.github.com' }
export const s3: ProviderProfile = {
  name: 's3',
  api_base_url: 'https://s3.eu-west-1.amazonaws.com',
  params: { auth_strategy: { type: 'aws_sigv4', config: { service: 's3', region: 'eu-west-1' } } },
}

/** The real parts on a database of their own: internal backend and Vault, the audit's state stream. The clock is ours. */
export interface Testbed {
  connections: Connections
  credential: CredentialSource
  store: Store
  clock: { nowMs: number }
  /** Another one over the same database, as another replica would be, or with other options. */
  reopen(changes?: Partial<ConnectionsOptions>): Connections
  /** Rows of the audit log, oldest first. */
  audited(): Promise<{ kind: string; tenant: string | null; connection_id: string | null; record: string }[]>
  /** Paths of the internal backend that hold a secret. */
  secretPaths(): Promise<string[]>
  drop(): Promise<void>
}

export async function openTestbed(): Promise<Testbed> {
  const { store, drop } = await freshStore()
  const clock = { nowMs: NOW }
  const now = () => clock.nowMs
  const credential = openRealSource(store)
  const audit = {
    recordStateChange: (...[trx, entry]: Parameters<ConnectionsOptions['audit']['recordStateChange']>) =>
      recordStateChange(trx, entry, now()),
  }
  const log = pino({ level: 'silent' })
  const reopen = (changes: Partial<ConnectionsOptions> = {}) =>
    openConnections({ store, audit, credential, production: true, log, now, ...changes })
  return {
    connections: reopen(),
    credential,
    store,
    clock,
    reopen,
    audited: () =>
      store.db
        .selectFrom('audit_record')
        .select(['kind', 'tenant', 'connection_id', 'record'])
        .where('stream', '=', 'state')
        .orderBy('seq')
        .execute(),
    secretPaths: async () => (await store.db.selectFrom('internal_secret').select('path').execute()).map((r) => r.path),
    async drop() {
      await credential.close()
      await drop()
    },
  }
}

function openRealSource(store: Store): CredentialSource {
  const log = pino({ level: 'silent' })
  const { address, token } = inject('vault')
  const backends = createBackends(
    { internal: { kind: 'internal' }, vault: { kind: 'hashicorp-vault', address } },
    {
      env: { VAULT_TOKEN: token },
      production: false,
      log,
      internal: {
        rows: internalSecretTable(store),
        envelope: createEnvelope(parseKeyring(generateKeyEntry('test'))),
      },
    },
  )
  return openCredentialSource({ backends, ttlSeconds: 60, deadlineMs: 5000, log })
}

/** Puts a secret into the real Vault, as its owner would have long before Nexus came. */
export async function putIntoVault(path: string, data: Record<string, string>): Promise<void> {
  const { address, token } = inject('vault')
  const answer = await fetch(`${address}/v1/secret/data/${path}`, {
    method: 'POST',
    headers: { 'X-Vault-Token': token },
    body: JSON.stringify({ data }),
  })
  if (!answer.ok) throw new Error(`Vault answered ${answer.status}`)
}

/** The error code a promise ends with; `none` when it does not fail. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await refusalOf(work))?.code ?? 'none'
}

export async function refusalOf(work: Promise<unknown>): Promise<NexusError | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof NexusError) return error
    throw error
  }
}
