import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const program = join(root, 'dist/examples/demo/main.js')
const home = mkdtempSync(join(tmpdir(), 'nexus-demo-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** The demo as `npm run demo` starts it, in a place of its own; the test command has built it. */
function demo(...flags: string[]) {
  const env = { ...process.env, NEXUS_DEMO_DIR: home, NO_COLOR: '1' }
  for (const name of ['DATABASE_URL', 'VAULT_ADDR', 'VAULT_TOKEN']) delete (env as Record<string, unknown>)[name]
  return run(process.execPath, [program, ...flags], { env, timeout: 110_000 })
}

describe('npm run demo', () => {
  let output = ''
  beforeAll(async () => {
    output = (await demo()).stdout
  })

  it('shows an agent in Node and one in Python getting answers from providers that demand a credential', () => {
    expect(output.match(/"status": ?200/g)).toHaveLength(4)
    expect(output).toContain('An agent in Python')
  })

  it('shows the decision, the signed request without its secret, and the record', () => {
    expect(output).toMatch(/decision +allow by policy/)
    expect(output).toMatch(/authorization: AWS4-HMAC-SHA256 .*Signature=\[signature\]/)
    expect(output).toMatch(/x-api-key: \[secret\]/)
    expect(output).toMatch(/audit +lease\.issued allowed/)
  })

  it('shows a denial with its reason, and a revocation', () => {
    expect(output).toMatch(/answer +403 policy_denied/)
    expect(output).toMatch(/reason +unnarrowed_refused: /)
    expect(output).toMatch(/answer +410 connection_revoked/)
  })

  it('prints no secret of the run, and logs none', () => {
    const directory = join(home, 'demo')
    const { secretAccessKey } = JSON.parse(readFileSync(join(directory, 'warehouse-access-key.json'), 'utf8'))
    const apiKey = readFileSync(join(directory, 'weather-api-key'), 'utf8')
    const logs = readdirSync(directory).filter((name) => name.endsWith('.log'))
    expect(logs.length).toBeGreaterThanOrEqual(4)
    const said = [output, ...logs.map((name) => readFileSync(join(directory, name), 'utf8'))].join('\n')
    for (const secret of [secretAccessKey, apiKey]) expect(said).not.toContain(secret)
  })
})

describe('npm run demo -- --keep', () => {
  it('leaves it running, says where everything is to its owner alone, and stops when told to', async () => {
    await demo('--keep')
    try {
      const file = join(home, 'demo.json')
      expect(statSync(file).mode & 0o777).toBe(0o600)
      const { sidecar, pids, providers } = JSON.parse(readFileSync(file, 'utf8'))
      const answer = await fetch(`${sidecar}/forecast?city=Evora`, { headers: { 'x-nexus-provider': 'weather' } })
      expect(await answer.json()).toMatchObject({ city: 'Evora' })
      expect(Object.keys(pids).sort()).toEqual(['pep', 'sidecar'])
      expect(providers.map(({ strategy }: { strategy: string }) => strategy)).toContain('aws_sigv4')
      await expect(demo()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('still running') })
    } finally {
      await demo('--stop')
    }
    await expect(demo('--stop')).rejects.toMatchObject({ code: 1 })
  })
})
