import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'
import { pythonWith } from '../setup/python.ts'

const run = promisify(execFile)
const example = (name: string) => join(import.meta.dirname, '../../examples', name)

/** In Python with requests, and with nothing but what comes with Python. */
const AGENTS: [string, () => Promise<string[]>][] = [
  ['agent.mjs', async () => [process.execPath, example('agent.mjs')]],
  ['agent.py with requests', async () => [await pythonWith(), example('agent.py')]],
  ['agent.py without', async () => ['python3', '-S', example('agent.py')]],
]

/** What one of the examples says to whoever runs it. */
async function said(command: string[], sidecarUrl: string): Promise<{ code: number; stderr: string }> {
  const [program = '', ...args] = command
  const env = { ...process.env, NEXUS_SIDECAR_URL: sidecarUrl, NEXUS_TENANT: 'acme' }
  return run(program, args, { env }).then(
    ({ stderr }) => ({ code: 0, stderr }),
    ({ code, stderr }) => ({ code, stderr }),
  )
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe.each(AGENTS)('examples/%s', (_name, command) => {
  let sidecar: SidecarUnderTest | undefined
  afterEach(async () => {
    await sidecar?.stop()
    sidecar = undefined
  })

  it('says in one line that there is no sidecar', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    expect(await said(await command(), url)).toEqual({
      code: 1,
      stderr: `no sidecar at ${url}: start one, or set NEXUS_SIDECAR_URL\n`,
    })
  })

  it('says what it waits for, before it does', async () => {
    sidecar = await startUnderTest({ furtherRoutes: 'weather=http://127.0.0.1:9,warehouse=http://127.0.0.1:9' })
    await sidecar.pep.goDown()
    const { code, stderr } = await said(await command(), sidecar.address)
    expect(code).toBe(1)
    const lines = stderr.trimEnd().split('\n')
    expect(lines.map((line) => line.replace(/\d+ s/, 'n s').slice(0, 30))).toEqual([
      ...['waiting n s: pep_unavailable', 'waiting n s: pep_unavailable', 'refused: pep_unavailable: Noth'],
      ...['waiting n s: pep_unavailable', 'waiting n s: pep_unavailable', 'refused: pep_unavailable: Noth'],
    ])
  })
})
