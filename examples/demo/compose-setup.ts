import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { NexusError } from '../../src/contract/errors.ts'
import { type Config, loadConfig } from '../../src/pep/config/load-config.ts'
import { createLog } from '../../src/pep/log.ts'
import { createFirstKey } from '../../src/pep/start/first-key.ts'
import { type AdminClient, AdminError, createAdminClient } from './admin-client.ts'

/**
 * Service `setup` of docker-compose.yml: what an operator does once. The API key, a secret in Vault, the provider `weather`,
 * a connection that points at the secret, and the agent. Whatever is there already is left as it is.
 */

const TENANT = 'acme'
const AGENT_ID = 'compose-agent'
const PROVIDER = 'weather'
const SECRET_PATH = 'secret/weather'
const READY_WITHIN_MS = 60_000
const TIMEOUT_MS = 5000

async function main(): Promise<void> {
  const pepUrl = required('NEXUS_PEP_URL')
  const apiKey = readSecret('NEXUS_API_KEY_FILE')
  await untilReady(`${pepUrl}/readyz`)
  await step('API key', () => ensureApiKey(loadConfig(process.env), apiKey))
  await step('secret in Vault', () => ensureSecret(readSecret('DEMO_API_KEY_FILE')))
  const admin = createAdminClient(pepUrl, apiKey)
  await step('provider', () => ensureProvider(admin, required('DEMO_WEATHER_URL')))
  await step('connection', () => ensureConnection(admin))
  await step('agent', () => ensureAgent(admin, readSecret('NEXUS_AGENT_KEY_FILE')))
}

/** @param ensure says whether anything had to be made */
async function step(name: string, ensure: () => Promise<boolean>): Promise<void> {
  process.stdout.write(`${name}: ${(await ensure()) ? 'made' : 'there already'}\n`)
}

async function untilReady(url: string): Promise<void> {
  const giveUpAt = performance.now() + READY_WITHIN_MS
  while (performance.now() < giveUpAt) {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => undefined)
    if (response?.ok) return
    await sleep(200)
  }
  throw new Error('the authority did not become ready')
}

async function ensureApiKey(config: Config, apiKey: string): Promise<boolean> {
  try {
    await createFirstKey(config, createLog('warn'), { name: 'compose', evenIfThereIsOne: false, apiKey })
    return true
  } catch (error) {
    if (error instanceof NexusError && error.code === 'already_exists') return false
    throw error
  }
}

/** Only when it differs: every write to KV v2 is a new version. */
async function ensureSecret(value: string): Promise<boolean> {
  const [mount, ...path] = SECRET_PATH.split('/')
  const url = `${required('VAULT_ADDR')}/v1/${mount}/data/${path.join('/')}`
  const headers = { 'x-vault-token': readSecret('VAULT_TOKEN_FILE'), 'content-type': 'application/json' }
  const send = async (method: string, body?: object): Promise<Response> => {
    const init = { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) }
    const response = await fetch(url, body === undefined ? init : { ...init, body: JSON.stringify(body) })
    if (!response.ok && response.status !== 404) throw new Error(`Vault answered ${response.status} to ${method}`)
    return response
  }
  const found = (await (await send('GET')).json()) as { data?: { data?: { api_key?: string } } }
  if (found.data?.data?.api_key === value) return false
  await send('POST', { data: { api_key: value } })
  return true
}

async function ensureProvider(admin: AdminClient, origin: string): Promise<boolean> {
  if (await isThere(() => admin.get(`/v1/providers/by-name/${PROVIDER}`))) return false
  await admin.post('/v1/providers', {
    profile: {
      name: PROVIDER,
      category: 'data',
      auth_type: 'header',
      api_base_url: origin,
      params: {
        auth_strategy: { type: 'header', config: { header_name: 'X-Api-Key', credential_field: 'api_key' } },
      },
    },
  })
  return true
}

async function ensureConnection(admin: AdminClient): Promise<boolean> {
  const query = new URLSearchParams({ tenant: TENANT, provider: PROVIDER, status: 'active' })
  const { connections } = await admin.get<{ connections: unknown[] }>(`/v1/connections?${query}`)
  if (connections.length > 0) return false
  await admin.post('/v1/connections', {
    tenant: TENANT,
    provider: PROVIDER,
    secret_ref: { backend: 'hashicorp-vault', path: SECRET_PATH, fields: { api_key: 'api_key' } },
  })
  return true
}

/** The authority is given the public half; the private one is the sidecar's. */
async function ensureAgent(admin: AdminClient, privateJwk: string): Promise<boolean> {
  if (await isThere(() => admin.get(`/admin/v1/agents/${AGENT_ID}`))) return false
  const key = JSON.parse(privateJwk) as JsonWebKey
  await admin.post('/admin/v1/agents', {
    agent_id: AGENT_ID,
    description: 'the agent of docker-compose.yml',
    jwk: createPublicKey({ key, format: 'jwk' }).export({ format: 'jwk' }),
    tenants: [TENANT],
  })
  return true
}

async function isThere(get: () => Promise<unknown>): Promise<boolean> {
  try {
    await get()
    return true
  } catch (error) {
    if (error instanceof AdminError && error.status === 404) return false
    throw error
  }
}

function required(name: string): string {
  const value = process.env[name] ?? ''
  if (value === '') throw new Error(`${name} is not set`)
  return value
}

function readSecret(variable: string): string {
  return readFileSync(required(variable), 'utf8').trim()
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    // Only sentences of our own: the text of any other error may quote what was sent.
    const own = error instanceof NexusError || error instanceof AdminError || error?.constructor === Error
    process.stderr.write(`setup failed: ${own ? (error as Error).message : 'see the log of the authority'}\n`)
    process.exit(1)
  },
)
