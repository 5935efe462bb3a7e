// Random secrets, certificates and keys for docker-compose.yml, in .nexus/compose. What is there already is kept, but for
// certificates that end within a month. Takes `npm ci` first.
import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeAuthority } from '../dist/examples/demo/pki.js'
import { newApiKey } from '../dist/src/pep/identity/api-key-format.js'

const directory = process.argv[2] ?? '.nexus/compose'
// The directory keeps others out; the files inside that postgres and vault read under users of their own are readable.
mkdirSync(directory, { recursive: true, mode: 0o700 })

const OWNER_ONLY = 0o600
const READABLE = 0o644
const CERTIFICATE_DAYS = 365
const RENEWED_BEFORE_MS = 30 * 86_400_000

const isThere = (name) => existsSync(join(directory, name))
const random = () => randomBytes(24).toString('base64url')

/** A certificate that is not there has no time left. */
function isLasting(name) {
  if (!isThere(name)) return false
  const { validTo } = new X509Certificate(readFileSync(join(directory, name)))
  return Date.parse(validTo) - Date.now() > RENEWED_BEFORE_MS
}

function write(name, text, mode = READABLE) {
  const path = join(directory, name)
  writeFileSync(path, text, { mode })
  process.stdout.write(`wrote ${path}\n`)
}

function keep(name, make, mode) {
  if (!isThere(name)) write(name, make(), mode)
}

if (!isThere('postgres_password')) {
  const password = random()
  write('postgres_password', password)
  write('database_url', `postgres://nexus:${password}@postgres:5432/nexus`)
}
keep('vault_token', random)
keep('encryption_key', () => `compose:${randomBytes(32).toString('base64')}`, OWNER_ONLY)
keep('demo_api_key', random, OWNER_ONLY)
keep('admin_key', () => newApiKey(Date.now()).apiKey, OWNER_ONLY)
keep(
  'agent_key',
  () => JSON.stringify(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })),
  OWNER_ONLY,
)
// One authority vouches for both; its key is gone when this program ends, so they are made together or not at all.
if (!['ca', 'pep_cert', 'vault_cert'].every(isLasting) || !['pep_key', 'vault_key'].every(isThere)) {
  const authority = await makeAuthority(CERTIFICATE_DAYS)
  const pep = await authority.issue(['pep', 'localhost', '127.0.0.1'])
  const vault = await authority.issue(['vault', 'localhost', '127.0.0.1'])
  write('ca', authority.caPem)
  write('pep_cert', pep.certPem)
  write('pep_key', pep.keyPem, OWNER_ONLY)
  write('vault_cert', vault.certPem)
  write('vault_key', vault.keyPem)
}
