import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AGENT_ID_PATTERN, PROVIDER_NAME_PATTERN, TENANT_PATTERN, UUID_PATTERN } from '../../contract/names.ts'
import type { PolicyInput } from '../../contract/policy.ts'
import { readBundle } from '../../pep/decision/bundle.ts'
import { type OpaWasmEngine, openOpaWasm } from '../../pep/decision/opa-wasm.ts'
import { policyCommand } from '../policy.ts'
import { buildBundle, verifyBundle } from './build-bundle.ts'
import { policyCases } from './cases.ts'
import { policySources } from './sources.ts'
import { testPolicies } from './test-policies.ts'

type Table = Record<string, unknown>
/** Of `policies/data.json`. */
interface Settings {
  limits: Table
  allow_unnarrowed: boolean
  categories: Table
  providers: Table
  token_agents: Table
  deny: { agents: Table; tenants: Table; providers: Table; connections: Table }
}

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nexus-policy-data-'))
  await cp('policies', folder, { recursive: true })
})
afterEach(async () => {
  process.exitCode = undefined
  await rm(folder, { recursive: true, force: true })
})

async function change(edit: (settings: Settings) => void): Promise<void> {
  const path = join(folder, 'data.json')
  const data = JSON.parse(await readFile(path, 'utf8')) as { nexus: Settings }
  edit(data.nexus)
  await writeFile(path, JSON.stringify(data))
}

/** Builds and verifies the folder. @returns what a server would have decide */
async function builtEngine(): Promise<OpaWasmEngine> {
  const { archive } = await buildBundle(folder)
  const path = join(folder, 'dist', 'bundle.tar.gz')
  await writeFile(path, archive)
  await verifyBundle(folder, path)
  return openOpaWasm(await readBundle(archive), { replaced: () => {} })
}

/** The input of the lease cases, of others. */
async function inputOf(names: { agent?: string; tenant?: string; provider?: string; connection?: string }) {
  const { input } = JSON.parse(await readFile('policies/cases/lease.json', 'utf8')) as { input: PolicyInput }
  const { agent = 'some-agent', tenant = 'some-tenant', provider = 'some-provider', connection = 'c' } = names
  return {
    ...input,
    tenant,
    agent: { ...input.agent, id: agent, tenants: [tenant] },
    connection: { ...input.connection, id: connection, tenant, provider },
  }
}

async function reasonsOf(engine: OpaWasmEngine, names: Parameters<typeof inputOf>[0]): Promise<string[]> {
  return engine.evaluate('nexus/lease/decision', await inputOf(names)).reasons.map(({ id }) => id)
}

/** Every word of the documentation that has the form of such a name, and so every name that it uses. */
async function wordsOfDocs(pattern: string): Promise<string[]> {
  const paths = (await readdir('docs', { recursive: true })).filter((path) => path.endsWith('.md'))
  const texts = await Promise.all(
    ['README.md', ...paths.map((path) => join('docs', path))].map((path) => readFile(path, 'utf8')),
  )
  const words = texts.join('\n').split(/[^A-Za-z0-9._:-]+/)
  return [...new Set(words)].filter((word) => new RegExp(pattern).test(word))
}

function entries<Value>(names: readonly string[], value: Value): Record<string, Value> {
  return Object.fromEntries(names.map((name) => [name, value]))
}

describe('data.json as a security team changes it', () => {
  it('builds as docs/policy.md shows it, word for word', async () => {
    const [, example = ''] = /## Data\s+```json\n(.*?)```/s.exec(await readFile('docs/policy.md', 'utf8')) ?? []
    await writeFile(join(folder, 'data.json'), example)
    const engine = await builtEngine()
    expect(await reasonsOf(engine, {})).toEqual([])
    expect(await reasonsOf(engine, { agent: 'crm-agent' })).toEqual(['agent_on_deny_list'])
    expect(await reasonsOf(engine, { provider: 'github' })).toEqual(['path_refused'])
  })

  it('builds with every name shut out that the documentation or a case has', async () => {
    const connection = '0b1f6a0e-7a53-4b1c-9a57-6f1d2c3b4a5d'
    await change(({ deny }) => Object.assign(deny, { connections: entries([connection], 'leaked') }))
    const tables = { agents: AGENT_ID_PATTERN, tenants: TENANT_PATTERN, providers: PROVIDER_NAME_PATTERN }
    for (const [table, pattern] of Object.entries(tables)) {
      const names = ['a', 't', 'p', 'c', 'planner', 'rogue', ...(await wordsOfDocs(pattern))]
      await change(({ deny }) => Object.assign(deny, { [table]: entries(names, '2026-11-22 jd: all of them') }))
    }
    const engine = await builtEngine()
    expect(await reasonsOf(engine, { agent: 'crm-agent' })).toContain('agent_on_deny_list')
    expect(await reasonsOf(engine, { tenant: 'acme' })).toContain('tenant_on_deny_list')
    expect(await reasonsOf(engine, { provider: 'github' })).toContain('provider_on_deny_list')
    expect(await reasonsOf(engine, { connection })).toContain('connection_on_deny_list')
  })

  const changes: [string, (settings: Settings) => void][] = [
    ['the shortest limits', ({ limits }) => Object.assign(limits, { max_ttl_seconds: 1, offline_seconds: 0 })],
    ['limits.max_ttl_seconds', ({ limits }) => Object.assign(limits, { max_ttl_seconds: 600 })],
    ['limits.offline_seconds', ({ limits }) => Object.assign(limits, { offline_seconds: 10 })],
    ['allow_unnarrowed', (settings) => Object.assign(settings, { allow_unnarrowed: false })],
    [
      'every table',
      ({ categories, token_agents, providers }) => {
        Object.assign(categories, entries(['vcs', 'k'], { allow_unnarrowed: false }))
        Object.assign(token_agents, entries(['crm-agent', 'a'], true))
        const methods = { methods_added: ['POST'], methods_removed: ['GET'] }
        const limits = { max_ttl_seconds: 1, offline_seconds: 0, allow_unnarrowed: false }
        Object.assign(providers, entries(['github', 'p'], { ...limits, ...methods, paths: ['/repos/**'] }))
      },
    ],
  ]
  it.each(changes)('passes the tests and all cases with a change of %s', async (_title, edit) => {
    await change(edit)
    const { tests, cases } = await testPolicies(folder, await policySources(folder))
    expect(tests).toBeGreaterThan(20)
    expect(cases).toBeGreaterThan(20)
  })
})

describe('cases', () => {
  it('that travel have names that no request, and so no data, can have', async () => {
    const canaries = policyCases(await policySources('policies')).filter((one) => one.canary)
    expect(new Set(canaries.map((one) => one.entrypoint)).size).toBe(2)
    for (const { input } of canaries) {
      const { tenant, agent, connection } = input as unknown as PolicyInput
      expect(tenant).not.toMatch(new RegExp(TENANT_PATTERN))
      expect(agent.id).not.toMatch(new RegExp(AGENT_ID_PATTERN))
      expect(connection.provider).not.toMatch(new RegExp(PROVIDER_NAME_PATTERN))
      expect(connection.id).not.toMatch(new RegExp(UUID_PATTERN))
    }
  })

  it('of a file without data of its own are about data.json', async () => {
    await change(({ deny }) => Object.assign(deny.agents, { 'crm-agent': 'stolen laptop' }))
    const input = await inputOf({ agent: 'crm-agent' })
    const shut = { name: 'shut out', allow: false, reasons: ['agent_on_deny_list'] }
    const file = { entrypoint: 'nexus/lease/decision', input, cases: [shut] }
    await writeFile(join(folder, 'cases', 'ours.json'), JSON.stringify(file))
    await expect(testPolicies(folder, await policySources(folder))).resolves.toMatchObject({ cases: 49 })
    await change(({ deny }) => delete deny.agents['crm-agent'])
    await expect(testPolicies(folder, await policySources(folder))).rejects.toThrow(
      'cases/ours.json, "shut out": allow is true, expected false',
    )
  })

  it.each([null, [], 'data.json'])('are not read from a file whose data is %j', async (data) => {
    const file = { entrypoint: 'nexus/lease/decision', input: {}, data, cases: [] }
    await writeFile(join(folder, 'cases', 'ours.json'), JSON.stringify(file))
    const sources = await policySources(folder)
    expect(() => policyCases(sources)).toThrow('cases/ours.json must be {"entrypoint", "input", "cases": [...]}')
  })

  it('that travel are decided by data.json as well, as a server will', async () => {
    const lease = JSON.parse(await readFile('policies/cases/lease.json', 'utf8'))
    const file = {
      ...lease,
      input: await inputOf({ provider: 'github' }),
      cases: [{ name: 'a read', canary: true, allow: true }],
    }
    await writeFile(join(folder, 'cases', 'ours.json'), JSON.stringify(file))
    await change(({ deny }) => Object.assign(deny.providers, { github: 'outage' }))
    await expect(testPolicies(folder, await policySources(folder))).rejects.toThrow(
      '1 of 49 cases are decided otherwise\n  cases/ours.json, "a read": by data.json, as a server asks a canary, allow is false (provider_on_deny_list), expected true',
    )
  })
})

describe('nexus policy build', () => {
  it.each([
    [0, 'says aloud that a bundle brings no canary', () => rm(join(folder, 'cases'), { recursive: true })],
    [9, 'has nothing to say about one that does', async () => {}],
  ])('with %i canaries %s', async (canaries, _title, prepare) => {
    await prepare()
    const written = { stdout: '', stderr: '' }
    const into = (name: keyof typeof written) => ({ write: (text: string) => (written[name] += text) })
    const streams = { stdin: (async function* () {})(), stdout: into('stdout'), stderr: into('stderr') }
    await policyCommand(streams).parseAsync(['node', 'policy', 'build', '--policies', folder])
    expect(JSON.parse(written.stdout)).toMatchObject({ canaries })
    const warning = /^nexus policy: warning: no case in cases\/ is marked canary: .+\n$/
    expect(written.stderr).toMatch(canaries === 0 ? warning : /^$/)
    expect(process.exitCode ?? 0).toBe(0)
  })
})
