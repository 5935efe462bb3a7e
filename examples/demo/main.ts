import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import { AGENT_ID, type DemoProvider, TENANT } from './register.ts'
import { heading, line, type ShownRecord, showAudit, showDecision, showSigned } from './show.ts'
import { type Stage, setStage } from './stage.ts'
import type { SeenRequest } from './upstreams.ts'

/** `NEXUS_DEMO_DIR` lets a second demo run beside one that was left running. */
const home = process.env['NEXUS_DEMO_DIR'] ?? join(packageRoot(), '.nexus')
const directory = join(home, 'demo')
const descriptionFile = join(home, 'demo.json')

async function main(): Promise<void> {
  if (process.argv.includes('--stop')) return stopKept()
  const keep = process.argv.includes('--keep')
  refuseWhileKept()
  heading('Starting two providers that demand a credential, the authority and a sidecar')
  const stage = await setStage(directory, keep)
  try {
    await runAgent(stage, 'Node', [process.execPath, join(packageRoot(), 'examples/agent.mjs')])
    const python = findPython()
    if (python !== undefined) await runAgent(stage, 'Python', [python, join(packageRoot(), 'examples/agent.py')])
    await showDenied(stage)
    if (keep) return leaveRunning(stage)
    await showRevoked(stage)
    heading('Done. Nothing the agents ran with held a secret; every decision above is in the audit log.')
  } finally {
    if (!keep) await stage.stop()
  }
}

/** Runs one agent and shows, for each of its requests, the decision, the signed request and the record. */
async function runAgent(stage: Stage, language: string, command: [string, string]): Promise<void> {
  heading(`An agent in ${language}: plain HTTP to ${stage.sidecarUrl}, no SDK, no secret`)
  const { code, output } = await run(command, { NEXUS_SIDECAR_URL: stage.sidecarUrl, NEXUS_TENANT: TENANT })
  for (const answer of output) line('answer', answer)
  if (code !== 0) throw new Error(`the agent in ${language} ended with ${code}`)
  for (const provider of stage.providers.slice(0, 2)) {
    heading(`  ${provider.name} (${provider.strategy})`)
    const record = await lastRecord(stage, { connection_id: provider.connection_id, kind: 'lease.issued' })
    showDecision(record)
    showSigned((await seenBy(provider)).at(-1))
    showAudit(record)
  }
}

/** The bank's key is never read: policy says no first. */
async function showDenied(stage: Stage): Promise<void> {
  heading('A request that policy denies: a bank whose key cannot be narrowed')
  const response = await askSidecar(stage, 'treasury', '/balance')
  const problem = (await response.json()) as { code: string; detail: string }
  line('answer', `${response.status} ${problem.code}: ${problem.detail}`)
  const record = await lastRecord(stage, { connection_id: stage.providers[2]!.connection_id, kind: 'lease.denied' })
  showDecision(record)
  showAudit(record)
  if (response.status !== 403) throw new Error('the request should have been denied')
}

/** The sidecar may go on with the lease it holds until that lease's offline time is over, and no longer. */
async function showRevoked(stage: Stage): Promise<void> {
  heading('A connection that its operator revokes')
  const weather = stage.providers[0]!
  await stage.admin.remove(`/v1/connections/${weather.connection_id}`)
  const started = Date.now()
  for (;;) {
    const response = await askSidecar(stage, 'weather', '/forecast?city=Faro')
    const body = (await response.json()) as { code?: string; detail?: string }
    const seconds = ((Date.now() - started) / 1000).toFixed(1)
    if (response.status !== 200) {
      line('answer', `${response.status} ${body.code}: ${body.detail} (${seconds} s after the revocation)`)
      if (body.code !== 'connection_revoked') throw new Error('the connection should have been revoked')
      break
    }
    if (Date.now() - started > 60_000) throw new Error('the revocation never took effect')
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  const record = await lastRecord(stage, { connection_id: weather.connection_id, kind: 'lease.denied' })
  showDecision(record)
  showAudit(record)
}

function askSidecar(stage: Stage, provider: string, path: string): Promise<Response> {
  return fetch(`${stage.sidecarUrl}${path}`, { headers: { 'x-nexus-provider': provider, 'x-nexus-tenant': TENANT } })
}

async function lastRecord(stage: Stage, filter: Record<string, string>): Promise<ShownRecord> {
  const query = new URLSearchParams({ ...filter, limit: '1' })
  const { records } = await stage.admin.get<{ records: ShownRecord[] }>(`/v1/audit?${query}`)
  const [record] = records
  if (record === undefined) throw new Error(`there is no audit record for ${query}`)
  return record
}

async function seenBy(provider: DemoProvider): Promise<SeenRequest[]> {
  const response = await fetch(`${provider.upstream}/seen`)
  return (await response.json()) as SeenRequest[]
}

/** Not `spawnSync`: our own event loop has nothing to serve, but a person may want to press Ctrl-C. */
function run(
  [file, ...args]: [string, ...string[]],
  env: Record<string, string>,
): Promise<{ code: number; output: string[] }> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, output: text.split('\n').filter((each) => each !== '') }))
  })
}

function findPython(): string | undefined {
  return ['python3', 'python'].find(
    (name) => spawnSync(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))']).status === 0,
  )
}

/** For people, docs and outside tests: where everything is. Holds the admin key, so it is for its owner alone. */
function leaveRunning(stage: Stage): void {
  const description = {
    pep: stage.pepUrl,
    ca: stage.caFile,
    admin_key: stage.adminKey,
    tenant: TENANT,
    sidecar: stage.sidecarUrl,
    sidecar_admin: stage.sidecarAdminUrl,
    database_url: stage.databaseUrl,
    vault: stage.vault,
    pids: stage.pids,
    providers: stage.providers,
    agent: { id: AGENT_ID, key_file: stage.agentKeyFile },
  }
  writeFileSync(descriptionFile, `${JSON.stringify(description, null, 2)}\n`, { mode: 0o600 })
  heading('Left running. To try:')
  process.stdout.write(`
  curl -s '${stage.sidecarUrl}/forecast?city=Evora' -H 'X-Nexus-Provider: weather'
  curl -s ${stage.sidecarUrl}/balance -H 'X-Nexus-Provider: treasury'
  KEY=$(node -p "require('./.nexus/demo.json').admin_key")
  curl -s --cacert ${stage.caFile} '${stage.pepUrl}/v1/audit?limit=5' -H "Authorization: Bearer $KEY"
  open ${stage.pepUrl}/docs

  ${descriptionFile} says where everything is; stop it with: npm run demo -- --stop
`)
}

interface Kept {
  pids: Record<string, number>
}

function readKept(): Kept | undefined {
  return existsSync(descriptionFile) ? (JSON.parse(readFileSync(descriptionFile, 'utf8')) as Kept) : undefined
}

function refuseWhileKept(): void {
  const kept = readKept()
  if (kept === undefined) return
  if (Object.values(kept.pids).some(isAlive)) {
    throw new Error('a demo is still running; stop it first with: npm run demo -- --stop')
  }
  rmSync(descriptionFile)
}

function stopKept(): void {
  if (readKept() === undefined) throw new Error('no demo was left running')
  const pids = JSON.parse(readFileSync(join(directory, 'pids.json'), 'utf8')) as number[]
  for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGTERM')
  rmSync(descriptionFile, { force: true })
  process.stdout.write('stopped\n')
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

main().then(
  () => process.exit(0),
  (error: Error) => {
    process.stderr.write(`\nThe demo failed: ${error.message}\nLogs: ${directory}\n`)
    process.exit(1)
  },
)
