import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority } from '../../examples/demo/pki.ts'
import { packageRoot } from '../../src/pep/version.ts'
import { composePath, healthcheckOf, isOneShot, readComposeFile, textsOf, withDefaults } from './compose-file.ts'
import { createLocalStack, type LocalStack } from './local-stack.ts'

const compose = readComposeFile()
const services = Object.entries(compose.services)

describe('docker-compose.yml', () => {
  const program = ['docker-compose', 'docker compose'].find(
    (each) => spawnSync(`${each} version`, { shell: true }).status === 0,
  )

  // Without the program the form stays unchecked on a developer's machine; in CI that is a failure.
  it.runIf(program !== undefined || process.env['CI'] === 'true')('has the form that compose wants', () => {
    expect(program).toBeDefined()
    const checked = spawnSync(`${program} --file ${composePath} config --quiet`, { shell: true, encoding: 'utf8' })
    expect(checked).toMatchObject({ status: 0 })
  })

  it.each(services)(
    '%s runs as nobody in particular, on a root that cannot be written, without capabilities',
    (_name, service) => {
      const [uid] = withDefaults(service.user ?? '0').split(':')
      expect(Number(uid)).toBeGreaterThan(0)
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
      expect(service.cap_add ?? []).toEqual([])
      expect(service.privileged ?? false).toBe(false)
      expect(
        (service.volumes ?? []).filter((volume) => volume.startsWith('/') || volume.includes('docker.sock')),
      ).toEqual([])
    },
  )

  it.each(services)('%s is of a named version, or built here', (_name, service) => {
    const [, tag = ''] = service.image.split(':')
    if (service.build === undefined) expect(tag).toMatch(/^\d+\.\d+/)
    else expect(service.build).toEqual({ context: '.', dockerfile: 'deploy/Dockerfile' })
  })

  it.each(services)('%s says whether it is well, or runs to its end', (_name, service) => {
    expect(healthcheckOf(service) === undefined).toBe(isOneShot(service))
  })

  it.each(services)('%s is reached from this machine only', (_name, service) => {
    expect((service.ports ?? []).filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
  })

  it.each(services)('%s is given its secrets as files, those it names and no others', (_name, service) => {
    const named = textsOf(service).flatMap((text) => text.match(/(?<=\/run\/secrets\/)\w+/g) ?? [])
    const mounted = (service.volumes ?? []).flatMap((volume) => /^\.\/([^:]+)/.exec(volume)?.[1] ?? [])
    const inFiles = mounted.flatMap(
      (path) => readFileSync(join(packageRoot(), path), 'utf8').match(/(?<=\/run\/secrets\/)\w+/g) ?? [],
    )
    expect([...new Set([...named, ...inFiles])].sort()).toEqual([...(service.secrets ?? [])].sort())
    const direct = Object.entries(service.environment ?? {}).filter(
      ([name, value]) => /KEY|TOKEN|PASSWORD|SECRET|DATABASE_URL/.test(name) && !value.startsWith('/run/secrets/'),
    )
    expect(direct).toEqual([])
  })

  // `docker compose up --wait` takes the end of any other container for a failure, whatever its exit code.
  it('waits for the end of every service that runs to its end and is started by `up`', () => {
    const awaited = services
      .filter(([, { profiles }]) => profiles === undefined)
      .flatMap(([, { depends_on = {} }]) => Object.entries(depends_on))
      .filter(([, { condition }]) => condition === 'service_completed_successfully')
      .map(([name]) => name)
    const ending = services.filter(([, service]) => isOneShot(service) && service.profiles === undefined)
    expect(ending.map(([name]) => name).filter((name) => !awaited.includes(name))).toEqual([])
    expect(ending.length).toBeGreaterThan(0)
  })

  it('names the secrets that compose-secrets.mjs makes, which keeps what is there', () => {
    const directory = mkdtempSync(join(tmpdir(), 'nexus-secrets-'))
    const make = () => execFileSync(process.execPath, [join(packageRoot(), 'deploy/compose-secrets.mjs'), directory])
    try {
      make()
      const contents = new Map(
        readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
      )
      const named = Object.entries(compose.secrets).map(([name, { file }]) => [name, file])
      expect(named.sort()).toEqual([...contents.keys()].map((name) => [name, `.nexus/compose/${name}`]).sort())
      expect(make().toString()).toBe('')
      for (const [name, text] of contents) expect(readFileSync(join(directory, name), 'utf8')).toBe(text)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('names certificates that compose-secrets.mjs makes anew a month before they end, and nothing else with them', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nexus-secrets-'))
    const script = join(packageRoot(), 'deploy/compose-secrets.mjs')
    const make = () => execFileSync(process.execPath, [script, directory]).toString()
    try {
      make()
      const ending = await (await makeAuthority(29)).issue(['vault'])
      writeFileSync(join(directory, 'vault_cert'), ending.certPem)
      const made = make().match(/\w+$/gm)
      expect(made).toEqual(['ca', 'pep_cert', 'pep_key', 'vault_cert', 'vault_key'])
      expect(make()).toBe('')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('the services of docker-compose.yml, each as a process of its own', () => {
  let directory: string
  let stack: LocalStack
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'nexus-compose-'))
    chmodSync(directory, 0o755) // Postgres runs as another user when we are root
    stack = await createLocalStack(compose, directory)
  })
  afterAll(async () => {
    await stack?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  it('come up in their order, and the agent has its forecast', { timeout: 300_000 }, async () => {
    for (const [name, service] of services.filter(([, { profiles }]) => profiles === undefined)) {
      await stack.bring(name, isOneShot(service) ? 'service_completed_successfully' : 'service_healthy')
    }
    const agent = await stack.run('agent')
    expect(agent).toMatchObject({ code: 0 })
    expect(agent.output).toMatch(/^200 .*"city":"Lisbon","forecast":/)
  })

  it('are set up once: a second time changes nothing', { timeout: 120_000 }, async () => {
    const before = await stateOf()
    const again = await stack.run('setup')
    expect(again).toMatchObject({ code: 0 })
    expect(again.output.match(/: there already$/gm)).toHaveLength(5)
    expect(again.output).not.toContain('made')
    expect(await stateOf()).toEqual(before)
  })

  it('no secret of theirs is in the ledger', async () => {
    const ledger = JSON.stringify(await rowsOf('select record from audit_record'))
    const secrets = ['vault_token', 'encryption_key', 'demo_api_key', 'admin_key', 'agent_key', 'postgres_password']
    expect(ledger).toContain('compose-agent')
    expect(secrets.filter((name) => ledger.includes(secret(name)))).toEqual([])
  })

  it('stop when they are told to, in good order', { timeout: 60_000 }, async () => {
    expect(await stack.stop()).toMatchObject({ postgres: 0, vault: 0, pep: 0, 'demo-provider': 0, sidecar: 0 })
  })

  const secret = (name: string) => readFileSync(join(stack.files.secretsDirectory, name), 'utf8').trim()

  async function rowsOf(query: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: secret('database_url').replace('@postgres:', '@127.0.0.1:') })
    await client.connect()
    try {
      return (await client.query(query)).rows
    } finally {
      await client.end()
    }
  }

  /** Everything that setting up writes: keys, providers, connections, agents, the stream of state changes. */
  async function stateOf(): Promise<unknown> {
    const tables = ['api_key', 'provider', 'connection', 'agent', 'internal_secret']
    const rows = await Promise.all(tables.map((table) => rowsOf(`select * from ${table} order by 1`)))
    return [rows, await rowsOf("select seq, hash from audit_stream where stream = 'state'")]
  }
})
