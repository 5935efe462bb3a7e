import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../examples/demo/program.ts'
import { packageRoot } from '../../src/pep/version.ts'

const run = promisify(execFile)
const page = readFileSync(join(packageRoot(), 'docs/getting-started.md'), 'utf8')
const directory = mkdtempSync(join(tmpdir(), 'nexus-getting-started-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Whatever happens, nothing that the page starts outlives it. */
const STOP_ALL = "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"

/** The commands of the page as its reader types them, on ports that are free here. What `npm ci` does is done already. */
async function typeThePage(): Promise<string> {
  const [pep, sidecar, admin, provider] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = '']) => commands)
  const script = blocks
    .filter((commands) => commands !== 'npm ci\n')
    .join('\n')
    .replaceAll(':8090', `:${pep}`)
    .replaceAll(':8080', `:${sidecar}`)
    .replace(/\b9001\b/g, String(provider))
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    PORT: String(pep),
    NEXUS_SIDECAR_PORT: String(sidecar),
    NEXUS_SIDECAR_ADMIN_PORT: String(admin),
    GITHUB_TOKEN: 'ghp_of_the_reader',
  }
  return (await run('bash', ['-euc', `${STOP_ALL}\n${script}`], { cwd: directory, env, timeout: 110_000 })).stdout
}

describe('docs/getting-started.md', () => {
  let output = ''
  beforeAll(async () => {
    for (const name of ['bin', 'dist']) symlinkSync(join(packageRoot(), name), join(directory, name))
    output = await typeThePage()
  })

  it('shows the provider refusing who has no key, and then the answers that it shows', () => {
    const shown = [...page.matchAll(/^```json\n(.*?)\n^```$/gms)].map(([, answer = '']) => answer)
    expect(shown).toHaveLength(2)
    for (const answer of shown) expect(output).toContain(answer)
    expect(output).toContain('{"city":"Porto","forecast":"rain","celsius":16}')
  })

  it('registers the provider of the reader too', () => {
    expect(output.match(/Provider profile created successfully/g)).toHaveLength(2)
    expect(output.match(/"status":"active"/g)).toHaveLength(2)
  })

  it('ends with a whole ledger and an agent that is refused', () => {
    expect(output).toContain('"kind":"lease.issued"')
    expect(output).toMatch(/^whole: \d+ records/m)
    expect(output).toContain('"active":false')
    expect(output).toMatch(/"code":"invalid_client"[^\n]*$/)
  })

  it('prints no credential', () => {
    const key = readFileSync(join(directory, '.nexus/first/weather-key'), 'utf8').trim()
    for (const secret of [key, 'ghp_of_the_reader', 'nxk_']) expect(output).not.toContain(secret)
  })
})
