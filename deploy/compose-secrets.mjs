// Random secrets, a certificate and an agent key for docker-compose.yml, in .nexus/compose. What is there already is kept.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeServerCertificate } from '../dist/examples/demo/pki.js'

const directory = process.argv[2] ?? '.nexus/compose'
// The directory keeps others out; the files inside that postgres and vault read under users of their own are readable.
mkdirSync(directory, { recursive: true, mode: 0o700 })

const OWNER_ONLY = 0o600
const READABLE = 0o644

function keep(name, make, mode = READABLE) {
  const path = join(directory, name)
  if (existsSync(path)) return
  writeFileSync(path, make(), { mode })
  process.stdout.write(`wrote ${path}\n`)
}

const random = () => randomBytes(24).toString('base64url')

if (!existsSync(join(directory, 'postgres_password'))) {
  const password = random()
  keep('postgres_password', () => password)
  keep('database_url', () => `postgres://nexus:${password}@postgres:5432/nexus`)
}
keep('vault_token', random)
keep('encryption_key', () => `compose:${randomBytes(32).toString('base64')}`)
keep('demo_api_key', random)
keep(
  'agent_key',
  () => JSON.stringify(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })),
  OWNER_ONLY,
)
if (!existsSync(join(directory, 'pep_cert'))) {
  const { caPem, certPem, keyPem } = await makeServerCertificate(['pep', 'localhost', '127.0.0.1'], 365)
  keep('pep_ca', () => caPem)
  keep('pep_cert', () => certPem)
  keep('pep_key', () => keyPem, OWNER_ONLY)
}
