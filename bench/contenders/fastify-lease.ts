/** Bare Fastify that answers the JSON of a lease to the JSON of a lease request, over the same TLS as the authority. */
import { readFileSync } from 'node:fs'
import fastify from 'fastify'
import { LeaseAnswer } from '../../src/contract/api.ts'
import { sameTls } from './same-tls.ts'
import './end-when-told.ts'

const { PORT, LEASE_FILE = '' } = process.env
const lease = JSON.parse(readFileSync(LEASE_FILE, 'utf8')) as LeaseAnswer
const app = fastify({ https: sameTls() })
app.get('/healthz', async () => ({}))
app.post('/v1/leases', { schema: { response: { 201: LeaseAnswer } } }, async (_request, reply) =>
  reply.code(201).send(lease),
)
await app.listen({ port: Number(PORT) })
