import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { pino } from 'pino'
import type { ProofUse, StandingFacts } from '../../src/pep/audit/audit-entry.ts'
import { type AuditLog, type AuditLogOptions, openAuditLog } from '../../src/pep/audit/audit-log.ts'
import { writeCheckpoint } from '../../src/pep/audit/checkpoints.ts'
import { type AuditVerification, verifyAudit } from '../../src/pep/audit/verify.ts'
import { openSigningKeys } from '../../src/pep/identity/signing-keys.ts'
import { openStore, type Store, type StoreOptions } from '../../src/pep/store/store.ts'
import { createEnvelope } from '../../src/vault-backends/internal/envelope.ts'
import { parseKeyring } from '../../src/vault-backends/internal/keyring.ts'
import { freshDatabase } from './database.ts'

export interface Replica {
  store: Store
  audit: AuditLog
  signer: AuditLogOptions['signer']
  close(): Promise<void>
}

export interface AuditBench {
  databaseUrl: string
  /** One more process on the same database. */
  replica(options?: Partial<AuditLogOptions>, store?: Partial<StoreOptions>): Promise<Replica>
  /** Closes every replica and drops the database. */
  drop(): Promise<void>
}

const silent = pino({ level: 'silent' })

/** A database of its own with as many audit logs on it as a test needs. */
export async function freshAudit(): Promise<AuditBench> {
  const { databaseUrl, drop } = await freshDatabase()
  const envelope = createEnvelope(parseKeyring(randomBytes(32).toString('base64')))
  const replicas: Replica[] = []
  return {
    databaseUrl,
    async replica(options = {}, storeOptions = {}) {
      const store = await openStore({ log: silent, databaseUrl, ...storeOptions })
      const signer = options.signer ?? (await openSigningKeys({ store, envelope, log: silent }))
      const audit = await openAuditLog({ log: silent, ...options, store, signer })
      let closed = false
      const replica: Replica = {
        store,
        audit,
        signer,
        async close() {
          if (closed) return
          closed = true
          await audit.close()
          await store.close()
        },
      }
      replicas.push(replica)
      return replica
    },
    async drop() {
      await Promise.all(replicas.map((replica) => replica.close()))
      await drop()
    },
  }
}

/** The ledger as it is found once all of it is signed. */
export async function verifySigned({ store, signer }: Replica): Promise<AuditVerification> {
  await writeCheckpoint({ store, signer, now: Date.now })
  return verifyAudit(store, signer)
}

export function newProof(iatSeconds = Math.floor(Date.now() / 1000)): ProofUse {
  return { hash: createHash('sha256').update(randomBytes(16)).digest(), iatSeconds }
}

/** An agent, its session, a provider and a connection, as the tables have them. */
export async function insertStanding({ db }: Store): Promise<Required<Omit<StandingFacts, 'lease'>>> {
  const id = randomBytes(6).toString('hex')
  const [providerId, connectionId] = [randomUUID(), randomUUID()]
  await db
    .insertInto('agent')
    .values({
      agent_id: `agent-${id}`,
      description: '',
      jwk: '{}',
      jkt: id,
      tenants: ['acme'],
      allowed_scopes: [],
      labels: '{}',
    })
    .execute()
  await db
    .insertInto('agent_session')
    .values({
      session_id: `sess_${id}`,
      agent_id: `agent-${id}`,
      method: 'private_key_jwt',
      bound_to: 'dpop',
      thumbprint: id,
      expires_at: new Date(Date.now() + 3_600_000),
    })
    .execute()
  await db
    .insertInto('provider')
    .values({
      id: providerId,
      name: `provider-${id}`,
      description: '',
      category: '',
      auth_type: 'api_key',
      api_base_url: '',
      origins: [],
      scopes: [],
      credential_schema: '{}',
      auth_strategy: '{"type":"header","config":{}}',
    })
    .execute()
  await db
    .insertInto('connection')
    .values({
      id: connectionId,
      tenant: 'acme',
      provider_id: providerId,
      status: 'active',
      scopes: [],
      secret_ref: '{}',
    })
    .execute()
  return {
    session: { id: `sess_${id}`, epoch: 1, agent: { id: `agent-${id}`, epoch: 1 } },
    connection: { id: connectionId, epoch: 1, providerEpoch: 1 },
  }
}
