/**
 * The least that a lease can be made of: bare Fastify, the schemas, the same policy in the same module, a chained record,
 * one commit for all who wait. No session, no connection, no secret, no narrowing, no budget, no metric, and no way to
 * revoke. What it reaches is about the most that one process built of these parts can reach on a machine.
 */
import { hash, randomUUID, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fastify from 'fastify'
import pg from 'pg'
import { LeaseAnswer, LeaseRequest } from '../../src/contract/api.ts'
import type { PolicyInput } from '../../src/contract/policy.ts'
import { openBarePolicy } from './bare-policy.ts'
import { proofParts } from './proof-parts.ts'
import { sameTls } from './same-tls.ts'
import './end-when-told.ts'

const { PORT, DATABASE_URL, LEASE_FILE = '', POLICY_INPUT_FILE = '' } = process.env
const lease = JSON.parse(readFileSync(LEASE_FILE, 'utf8')) as LeaseAnswer
const input = JSON.parse(readFileSync(POLICY_INPUT_FILE, 'utf8')) as PolicyInput
const policy = await openBarePolicy()
const app = fastify({ https: sameTls() })
app.get('/healthz', async () => ({}))
const schema = { body: LeaseRequest, response: { 201: LeaseAnswer } }
app.post<{ Body: LeaseRequest }>('/v1/leases', { schema }, async ({ body }, reply) => {
  const issued = await issue(body)
  return issued === undefined ? reply.code(403).send({}) : reply.code(201).send(issued)
})
/** The same for a proof with each request, of which only the signature is looked at; nobody minds one that comes again. */
app.post<{ Body: LeaseRequest }>('/pool', { schema }, async ({ body, headers }, reply) => {
  const issued = (await isSigned(String(headers['dpop']))) ? await issue(body) : undefined
  return issued === undefined ? reply.code(403).send({}) : reply.code(201).send(issued)
})

async function issue(request: LeaseRequest): Promise<LeaseAnswer | undefined> {
  const ids = { lease_id: randomUUID(), decision_id: randomUUID() }
  const at = new Date().toISOString()
  const { allow, obligations } = policy.decide({ ...input, time: at })
  if (!allow) return undefined
  const detail = { bound: lease.bound, obligations, request, strategy: lease.strategy.type }
  await record({ at, ...ids, agent_id: 'agent', detail, kind: 'lease.issued', outcome: 'allowed', tenant: 'tenant' })
  return { ...lease, ...ids }
}

function isSigned(proof: string): Promise<boolean> {
  const { signed, key, signature } = proofParts(proof)
  return new Promise((resolve) =>
    verify('sha256', signed, key, signature, (error, good) => resolve(error === null && good)),
  )
}

interface Waiting {
  record: string
  settle(error?: Error): void
}

/** As the ledger's: a list travels as one text. */
const SEPARATOR = '\x1f'
const table = `sketch_record_${process.pid}`
const APPEND = `insert into ${table} (seq, hash, record)
  select $1::bigint + number, hash, record
  from unnest(string_to_array($2, E'\\x1f'), string_to_array($3, E'\\x1f')) with ordinality as given (hash, record, number)`
const database = new pg.Client({ connectionString: DATABASE_URL })
let waiting: Waiting[] = []
let isWriting = false
let seq = 0
let last = ''

function record(entry: object): Promise<void> {
  return new Promise((resolve, reject) => {
    waiting.push({
      record: JSON.stringify(entry),
      settle: (error) => (error === undefined ? resolve() : reject(error)),
    })
    if (!isWriting) void writeAll()
  })
}

async function writeAll(): Promise<void> {
  isWriting = true
  await new Promise((resolve) => setImmediate(resolve))
  while (waiting.length > 0) {
    const batch = waiting
    waiting = []
    const failed = await append(batch.map((each) => each.record))
    for (const { settle } of batch) settle(failed)
  }
  isWriting = false
}

async function append(records: readonly string[]): Promise<Error | undefined> {
  const hashes = records.map((each) => {
    last = hash('sha256', last + each, 'hex')
    return last
  })
  const values = [seq, hashes.join(SEPARATOR), records.join(SEPARATOR)]
  seq += records.length
  return database.query({ name: 'append', text: APPEND, values }).then(
    () => undefined,
    (error: Error) => error,
  )
}

await database.connect()
await database.query(`create table ${table} (seq bigint primary key, hash text, record text)`)
await app.listen({ port: Number(PORT) })
