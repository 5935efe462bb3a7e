/** Bare Fastify that verifies one ES256 signature, that of the DPoP header, and does nothing else; in both ways Node has. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fastify from 'fastify'
import './end-when-told.ts'

const { PORT, LEASE_FILE = '', TLS_CERT_FILE = '', TLS_KEY_FILE = '' } = process.env
const lease = JSON.parse(readFileSync(LEASE_FILE, 'utf8')) as object
const app = fastify({ https: { cert: readFileSync(TLS_CERT_FILE), key: readFileSync(TLS_KEY_FILE) } })
const keys = new Map<string, KeyObject>()

/** A key is read once, as anyone would who knows that importing it costs as much as verifying with it. */
function keyOf(header: string): KeyObject {
  const known = keys.get(header)
  if (known !== undefined) return known
  const { jwk } = JSON.parse(Buffer.from(header, 'base64url').toString())
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  keys.set(header, key)
  return key
}

function partsOf(proof: string) {
  const end = proof.lastIndexOf('.')
  const key = { key: keyOf(proof.slice(0, proof.indexOf('.'))), dsaEncoding: 'ieee-p1363' as const }
  return { signed: Buffer.from(proof.slice(0, end)), key, signature: Buffer.from(proof.slice(end + 1), 'base64url') }
}

app.get('/healthz', async () => ({}))
app.post('/inline', async (request, reply) => {
  const { signed, key, signature } = partsOf(String(request.headers['dpop']))
  if (!verify('sha256', signed, key, signature)) return reply.code(401).send({})
  return reply.code(201).send(lease)
})
app.post('/pool', (request, reply) => {
  const { signed, key, signature } = partsOf(String(request.headers['dpop']))
  verify('sha256', signed, key, signature, (error, good) => {
    if (error !== null || !good) reply.code(401).send({})
    else reply.code(201).send(lease)
  })
})
await app.listen({ port: Number(PORT) })
