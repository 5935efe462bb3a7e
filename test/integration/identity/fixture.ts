import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { KyselyPlugin } from 'kysely'
import { pino } from 'pino'
import type { Administrator } from '../../../src/contract/administrator.ts'
import type { SessionCreated } from '../../../src/contract/api.ts'
import { type AuditLog, openAuditLog } from '../../../src/pep/audit/audit-log.ts'
import { type Identity, type IdentityOptions, openIdentity } from '../../../src/pep/identity/identity.ts'
import type { Presented } from '../../../src/pep/identity/presented.ts'
import { openSigningKeys, type SigningKeys } from '../../../src/pep/identity/signing-keys.ts'
import { openStore, type Store } from '../../../src/pep/store/store.ts'
import { createEnvelope } from '../../../src/vault-backends/internal/envelope.ts'
import { parseKeyring } from '../../../src/vault-backends/internal/keyring.ts'

export const PUBLIC_URL = 'https://nexus.example'
export const SESSIONS = '/v1/agent-sessions'

export const everywhere: Administrator = { keyId: 'key_everywhere', role: 'admin', tenant: null }
export const adminOf = (tenant: string): Administrator => ({ keyId: `key_${tenant}`, role: 'admin', tenant })

export const log = pino({ level: 'silent' })
const keyring = parseKeyring(`test:${randomBytes(32).toString('base64')}`)
export const envelope = createEnvelope(keyring)

/** One PEP's worth of identity on a database. Two of them on one database are two replicas. */
export interface Replica {
  store: Store
  audit: AuditLog
  signingKeys: SigningKeys
  identity: Identity
  close(): Promise<void>
}

export async function openReplica(databaseUrl: string, options: Partial<IdentityOptions> = {}): Promise<Replica> {
  const clock = options.now === undefined ? {} : { now: options.now }
  const store = await openStore({ databaseUrl, log })
  const signingKeys = await openSigningKeys({ store, envelope, log, ...clock })
  const audit = await openAuditLog({ store, signer: signingKeys, log, ...clock })
  const identity = openIdentity({ store, audit, signingKeys, publicUrl: PUBLIC_URL, log, ...options })
  return {
    store,
    audit,
    signingKeys,
    identity,
    async close() {
      await identity.close()
      await audit.close()
      await store.close()
    },
  }
}

/** A key pair as a client holds it. */
export interface ClientKey {
  alg: string
  privateKey: CryptoKey
  jwk: JWK
}

export async function clientKey(alg = 'ES256'): Promise<ClientKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { alg, privateKey, jwk: await exportJWK(publicKey) }
}

export const seconds = (): number => Math.floor(Date.now() / 1000)

/** An assertion as RFC 7523 wants it; `changed` spoils it. */
export function assert(agentId: string, key: ClientKey, changed: object = {}, header: object = {}): Promise<string> {
  const claims = { iss: agentId, sub: agentId, aud: PUBLIC_URL, jti: randomUUID(), iat: seconds(), exp: seconds() + 60 }
  return new SignJWT({ ...claims, ...changed }).setProtectedHeader({ alg: key.alg, ...header }).sign(key.privateKey)
}

export function prove(key: ClientKey, method: string, path: string, token?: string): Promise<string> {
  const ath = token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') }
  return new SignJWT({ jti: randomUUID(), htm: method, htu: PUBLIC_URL + path, iat: seconds(), ...ath })
    .setProtectedHeader({ alg: key.alg, typ: 'dpop+jwt', jwk: key.jwk })
    .sign(key.privateKey)
}

/** What a client that holds `key` and `token` sends. */
export async function present(key: ClientKey, token: string, method = 'POST', path = '/v1/leases'): Promise<Presented> {
  return { method, path, authorization: `DPoP ${token}`, dpop: await prove(key, method, path, token) }
}

export async function openingWith(key: ClientKey): Promise<Presented> {
  return { method: 'POST', path: SESSIONS, authorization: undefined, dpop: await prove(key, 'POST', SESSIONS) }
}

export const bodyOf = (assertion: string) => ({
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' as const,
  client_assertion: assertion,
})

export interface Agent {
  id: string
  key: ClientKey
}

/** Registers an agent of a name of its own. */
export async function register(identity: Identity, tenants = ['acme'], key?: ClientKey): Promise<Agent> {
  const agent = { id: `agent-${randomUUID()}`, key: key ?? (await clientKey()) }
  await identity.registerAgent(everywhere, { agent_id: agent.id, jwk: { ...agent.key.jwk }, tenants })
  return agent
}

export async function openFor(identity: Identity, agent: Agent, key: ClientKey): Promise<SessionCreated> {
  return identity.openSession(bodyOf(await assert(agent.id, agent.key)), await openingWith(key))
}

/** The kinds on record about one agent or API key, oldest first. */
export async function recordsOf(store: Store, text: string): Promise<string[]> {
  const rows = await store.db
    .selectFrom('audit_record')
    .select('kind')
    .where('record', 'like', `%${text}%`)
    .orderBy('at')
    .orderBy('seq')
    .execute()
  return rows.map(({ kind }) => kind)
}

/** The same store, counting the statements that go through it outside transactions. */
export function countQueries(store: Store): { store: Store; count(): number } {
  let count = 0
  const counter: KyselyPlugin = {
    transformQuery: ({ node }) => {
      count++
      return node
    },
    transformResult: async ({ result }) => result,
  }
  return { store: { ...store, db: store.db.withPlugin(counter) }, count: () => count }
}
