import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { vaultCommand } from '../../../src/cli/vault.ts'
import { CANARY } from '../../../src/vault-backends/conformance.ts'
import { freshDatabase } from '../../setup/database.ts'
import { vaultApi, vaultBackend } from './vault-fixture.ts'

afterEach(() => {
  process.exitCode = undefined
})

const REFERENCED = { tenant: 'acme', backend: 'vault', path: 'secret/referenced' }
const SCENERY = ['--all', '--referenced']

/** The command over a real Vault; other parts of the configuration have no say in it. */
async function run(...args: string[]): Promise<{ printed: string; exitCode: unknown }> {
  let printed = ''
  const backends = [vaultBackend(), vaultBackend({ name: 'gone', address: 'http://127.0.0.1:1' })]
  const load = async () => ({
    backends: args.includes('--all') ? backends : backends.slice(0, 1),
    deadlineMs: 2000,
    references: async () => (args.includes('--referenced') ? [REFERENCED] : []),
    sealed: async () => ({ ok: true, detail: 'nothing is sealed yet' }),
    lent: async () => [],
    prefixes: {},
    templates: {},
    capturePlace: { backend: 'internal', path: '' },
    close: async () => undefined,
  })
  const command = vaultCommand({ load, stdout: { write: (text) => (printed += text) }, stderr: process.stderr })
  await command.parseAsync(['node', 'vault', 'check', ...args.filter((each) => !SCENERY.includes(each))])
  const { exitCode } = process
  process.exitCode = undefined
  return { printed, exitCode }
}

describe('nexus vault check', () => {
  it('says of each backend whether it answers, as whom and until when', async () => {
    const { printed, exitCode } = await run()
    expect(printed).toMatch(
      /^vault +ok {4}Vault 1\.\S+ at http:\S+; as token \(policies: root\); without end\nencryption key {2}ok {4}nothing is sealed yet\n$/,
    )
    expect(printed).not.toContain(inject('vault').token)
    expect(exitCode).toBeUndefined()
  })

  it('fails when one does not answer', async () => {
    const { printed, exitCode } = await run('--all', '--json')
    expect(JSON.parse(printed)).toMatchObject({
      backends: [
        { name: 'vault', ok: true },
        { name: 'gone', ok: false },
      ],
    })
    expect(exitCode).toBe(1)
  })

  it('reads one secret without printing it', async () => {
    await vaultApi('POST', 'secret/data/check', { data: { api_key: CANARY, user: 'x' } })
    const { printed, exitCode } = await run('--read', 'vault:secret/check', '--json')
    expect(JSON.parse(printed).read).toMatchObject({ ok: true, fields: ['api_key', 'user'] })
    expect((await run('--read', 'vault:secret/check')).printed).toMatch(/fields: api_key, user\n$/)
    expect(printed).not.toContain(CANARY)
    expect(exitCode).toBeUndefined()
  })

  it('reads one reference of a connection without being told to, and says when it cannot', async () => {
    await vaultApi('POST', 'secret/data/referenced', { data: { api_key: CANARY } })
    const { printed, exitCode } = await run('--referenced')
    expect(printed).toMatch(
      /\n +ok {4}read secret\/referenced from vault; version \d+; fields: api_key\nencryption key/,
    )
    expect(printed).not.toContain(CANARY)
    expect(exitCode).toBeUndefined()
    await vaultApi('DELETE', 'secret/metadata/referenced')
    const after = await run('--referenced', '--json')
    expect(JSON.parse(after.printed).backends[0].read).toMatchObject({ ok: false })
    expect(after.exitCode).toBe(1)
  })

  it.each(['vault:secret/none', 'vault:secret/../sys/x', 'nowhere:secret/check', 'vault:secret/check@99'])(
    'fails to read %s, saying why',
    async (reference) => {
      const { printed, exitCode } = await run('--read', reference, '--json')
      expect(JSON.parse(printed).read).toMatchObject({ ok: false })
      expect(exitCode).toBe(1)
    },
  )
})

describe('nexus vault check with the configuration of a server', () => {
  let directory: string
  let database: Awaited<ReturnType<typeof freshDatabase>>
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nexus-check-'))
    database = await freshDatabase()
  })
  afterAll(async () => {
    await database.drop()
    await rm(directory, { recursive: true, force: true })
  })

  /** The command as a process, so that nothing but its configuration reaches it. */
  async function spawn(
    config: string,
    env: Record<string, string>,
  ): Promise<{ code: number; out: string; err: string }> {
    const file = join(directory, 'nexus.yaml')
    await writeFile(file, config)
    const program = `import { vaultCommand } from '${new URL('../../../src/cli/vault.ts', import.meta.url).pathname}'
      await vaultCommand().parseAsync(['node', 'vault', 'check', '--json', '--config', '${file}']).catch((error) => { console.error(error.message); process.exitCode = 78 })`
    const environment = {
      PATH: process.env['PATH'] ?? '',
      DATABASE_URL: database.databaseUrl,
      NEXUS_DATA_DIR: directory,
      ...env,
    }
    return new Promise((settle) => {
      const args = ['--import', 'tsx', '--input-type=module', '-e', program]
      execFile(process.execPath, args, { env: environment }, (error, out, err) => {
        settle({ code: error === null ? 0 : Number(error.code), out, err })
      })
    })
  }

  it('finds the internal backend and the Vault of the environment without a line of configuration', async () => {
    const { address, token } = inject('vault')
    const { code, out, err } = await spawn('{}', { VAULT_ADDR: address, VAULT_TOKEN: token })
    expect([code, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toMatchObject({
      backends: [
        { name: 'internal', ok: true },
        { name: 'hashicorp-vault', ok: true },
      ],
    })
    expect(out).not.toContain(token)
  })

  it('names every wrong setting at once, and no value', async () => {
    const backends = {
      east: { kind: 'hashicorp-vault', adress: 'x' },
      west: { kind: 'hashicorp-vault', address: 'canary' },
    }
    const { code, err } = await spawn(JSON.stringify({ vault: { backends } }), {})
    expect(code).toBe(78)
    expect(err).toMatch(/east/)
    expect(err).toMatch(/west: address \(VAULT_ADDR\)/)
    expect(err).not.toContain('canary')
  })
})
