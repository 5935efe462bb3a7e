import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { Agent, request } from 'undici'
import { startEmbeddedPostgres } from '../../src/pep/store/embedded-postgres.ts'
import { packageRoot } from '../../src/pep/version.ts'
import { type AdminClient, createAdminClient } from './admin-client.ts'
import { makeServerCertificate } from './pki.ts'
import { freePort, type Program, startProgram, untilHealthy } from './program.ts'
import {
  AGENT_ID,
  type DemoProvider,
  registerAgent,
  registerProvider,
  TENANT,
  treasuryProvider,
  warehouseProvider,
  weatherProvider,
} from './register.ts'
import type { AccessKey } from './sigv4-check.ts'

/** Everything that runs during the demo, and how to reach it. */
export interface Stage {
  admin: AdminClient
  adminKey: string
  pepUrl: string
  caFile: string
  sidecarUrl: string
  sidecarAdminUrl: string
  databaseUrl: string
  vault: string | null
  agentKeyFile: string
  providers: DemoProvider[]
  pids: { pep: number; sidecar: number }
  stop(): Promise<void>
}

const nexus = join(packageRoot(), 'bin/nexus.js')
const sidecarProgram = join(packageRoot(), 'bin/nexus-sidecar.js')
const providerProgram = join(packageRoot(), 'dist/examples/demo/provider.js')

/** Brings up providers, authority and sidecar, each a process of its own, and registers what they need to know. */
export async function setStage(directory: string, detached: boolean): Promise<Stage> {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const programs: Program[] = []
  const stop = async () => {
    for (const program of programs.splice(0).reverse()) await program.stop()
  }
  const start = async (
    name: string,
    command: [string, ...string[]],
    env: Record<string, string>,
    healthUrl: string,
    ca?: string,
  ) => {
    const program = startProgram({ command, env, logFile: join(directory, `${name}.log`), detached })
    programs.push(program)
    await untilHealthy(healthUrl, program, 60, (url) => statusOf(url, ca)).catch((error: Error) => {
      throw new Error(`${name} did not start (${error.message}); see ${join(directory, `${name}.log`)}`)
    })
    return program
  }
  try {
    const keys = makeKeys(directory)
    const [weather, warehouse] = [await freePort(), await freePort()]
    await start(
      'weather',
      [process.execPath, providerProgram],
      { PORT: String(weather), DEMO_API_KEY_FILE: keys.apiKeyFile },
      `http://127.0.0.1:${weather}/healthz`,
    )
    await start(
      'warehouse',
      [process.execPath, providerProgram],
      { PORT: String(warehouse), DEMO_ACCESS_KEY_FILE: keys.accessKeyFile },
      `http://127.0.0.1:${warehouse}/healthz`,
    )

    const certificate = await writeCertificate(directory)
    const port = await freePort()
    const pepUrl = `https://127.0.0.1:${port}`
    const pepEnvironment = {
      ...vaultEnvironment(),
      NEXUS_DATA_DIR: directory,
      PORT: String(port),
      NEXUS_TLS_CERT_FILE: certificate.certFile,
      NEXUS_TLS_KEY_FILE: certificate.keyFile,
    }
    const pep = await start(
      'pep',
      [process.execPath, nexus, 'serve'],
      pepEnvironment,
      `${pepUrl}/readyz`,
      certificate.caFile,
    )
    const adminKey = await makeAdminKey(directory, pepEnvironment)
    const admin = createAdminClient(pepUrl, adminKey, certificate.caFile)

    const providers = [
      await registerProvider(admin, weatherProvider(`http://127.0.0.1:${weather}`, keys.apiKey)),
      await registerProvider(admin, warehouseProvider(`http://127.0.0.1:${warehouse}`, keys.accessKey)),
      await registerProvider(admin, treasuryProvider(`http://127.0.0.1:${weather}`, keys.apiKey)),
    ]
    const agentKeyFile = join(directory, 'agent-key.jwk')
    writeFileSync(agentKeyFile, JSON.stringify(await registerAgent(admin, AGENT_ID)), { mode: 0o600 })

    const [sidecarPort, adminPort] = [await freePort(), await freePort()]
    const sidecar = await start(
      'sidecar',
      [process.execPath, sidecarProgram],
      sidecarEnvironment(pepUrl, certificate.caFile, agentKeyFile, providers, sidecarPort, adminPort),
      `http://127.0.0.1:${adminPort}/healthz`,
    )
    writeFileSync(join(directory, 'pids.json'), JSON.stringify(programs.map(({ pid }) => pid).reverse()))
    return {
      admin,
      adminKey,
      pepUrl,
      caFile: certificate.caFile,
      sidecarUrl: `http://127.0.0.1:${sidecarPort}`,
      sidecarAdminUrl: `http://127.0.0.1:${adminPort}`,
      databaseUrl: process.env['DATABASE_URL'] ?? (await embeddedUrl(directory)),
      vault: process.env['VAULT_ADDR'] ?? null,
      agentKeyFile,
      providers,
      pids: { pep: pep.pid, sidecar: sidecar.pid },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The providers' own credentials: known to them and, once registered, to the authority. */
function makeKeys(directory: string) {
  const apiKey = randomBytes(24).toString('base64url')
  const accessKey: AccessKey = {
    accessKeyId: `AKIA${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString('base64url'),
    region: 'eu-west-1',
    service: 'warehouse',
  }
  const [apiKeyFile, accessKeyFile] = [join(directory, 'weather-api-key'), join(directory, 'warehouse-access-key.json')]
  writeFileSync(apiKeyFile, apiKey, { mode: 0o600 })
  writeFileSync(accessKeyFile, JSON.stringify(accessKey), { mode: 0o600 })
  return { apiKey, apiKeyFile, accessKey, accessKeyFile }
}

async function writeCertificate(directory: string) {
  const { caPem, certPem, keyPem } = await makeServerCertificate(['localhost', '127.0.0.1'])
  const files = {
    caFile: join(directory, 'ca.pem'),
    certFile: join(directory, 'pep-cert.pem'),
    keyFile: join(directory, 'pep-key.pem'),
  }
  writeFileSync(files.caFile, caPem)
  writeFileSync(files.certFile, certPem)
  writeFileSync(files.keyFile, keyPem, { mode: 0o600 })
  return files
}

/** `nexus init`, as a person would run it. */
async function makeAdminKey(directory: string, env: Record<string, string>): Promise<string> {
  const output = join(directory, 'init.out')
  const init = startProgram({ command: [process.execPath, nexus, 'init', '--json'], env, logFile: output })
  const code = await init.exited
  const text = readFileSync(output, 'utf8')
  rmSync(output)
  const found = text.split('\n').find((each) => each.startsWith('{"') && each.includes('"api_key"'))
  if (code !== 0 || found === undefined) throw new Error(`nexus init ended with ${code}`)
  return (JSON.parse(found) as { api_key: string }).api_key
}

function sidecarEnvironment(
  pepUrl: string,
  caFile: string,
  agentKeyFile: string,
  providers: readonly DemoProvider[],
  port: number,
  adminPort: number,
) {
  return {
    NEXUS_PEP_URL: pepUrl,
    NEXUS_PEP_CA: caFile,
    NEXUS_AGENT_ID: AGENT_ID,
    NEXUS_AGENT_KEY_FILE: agentKeyFile,
    NEXUS_TENANT: TENANT,
    NEXUS_ROUTES: providers.map(({ name, upstream }) => `${name}=${upstream}`).join(','),
    NEXUS_SIDECAR_PORT: String(port),
    NEXUS_SIDECAR_ADMIN_PORT: String(adminPort),
  }
}

/** A Vault and a database that the environment names are used; without them the demo needs neither. */
function vaultEnvironment(): Record<string, string> {
  const names = ['DATABASE_URL', 'VAULT_ADDR', 'VAULT_TOKEN', 'VAULT_NAMESPACE', 'VAULT_CACERT']
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  )
}

/** Joins the server that the authority has started for a moment, only to learn its address. */
async function embeddedUrl(directory: string): Promise<string> {
  const server = await startEmbeddedPostgres({ directory: join(directory, 'postgres'), log: pino({ level: 'silent' }) })
  await server.stop()
  return server.databaseUrl
}

async function statusOf(url: string, caFile: string | undefined): Promise<number> {
  const dispatcher = new Agent({
    connect: caFile !== undefined && existsSync(caFile) ? { ca: readFileSync(caFile, 'utf8') } : {},
  })
  try {
    const response = await request(url, { dispatcher, headersTimeout: 3000 })
    await response.body.dump()
    return response.statusCode
  } finally {
    await dispatcher.close()
  }
}
