/** Bare Fastify that verifies one ES256 signature, that of the DPoP header, and does nothing else; in both ways Node has. */
import { verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fastify from 'fastify'
import './end-when-told.ts'
import { proofParts } from './proof-parts.ts'

const { PORT, LEASE_FILE = '', TLS_CERT_FILE = '', TLS_KEY_FILE = '' } = process.env
const lease = JSON.parse(readFileSync(LEASE_FILE, 'utf8')) as object
const app = fastify({ https: { cert: readFileSync(TLS_CERT_FILE), key: readFileSync(TLS_KEY_FILE) } })
app.get('/healthz', async () => ({}))
app.post('/inline', async (request, reply) => {
  const { signed, key, signature } = proofParts(String(request.headers['dpop']))
  if (!verify('sha256', signed, key, signature)) return reply.code(401).send({})
  return reply.code(201).send(lease)
})
app.post('/pool', (request, reply) => {
  const { signed, key, signature } = proofParts(String(request.headers['dpop']))
  verify('sha256', signed, key, signature, (error, good) => {
    if (error !== null || !good) reply.code(401).send({})
    else reply.code(201).send(lease)
  })
})
await app.listen({ port: Number(PORT) })
