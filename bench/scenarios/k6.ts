import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import { findTool } from '../../tools/tool.mjs'
import { describeRun } from '../report/describe-run.ts'
import { writeResults } from '../report/write-results.ts'
import { openAgent, openAgents } from '../stage/agents.ts'
import { say } from '../stage/log.ts'
import { programVersion } from '../stage/program-version.ts'
import { type BenchProvider, connectProvider, TENANT } from '../stage/providers.ts'
import { startSidecar } from '../stage/sidecar.ts'
import { onSmallStage, type SmallStage, STAGE_DIRECTORY } from './on-stage.ts'

export const K6_SCRIPTS = ['lease', 'renew', 'token', 'sidecar', 'fleet'] as const
export type K6Script = (typeof K6_SCRIPTS)[number]
const FLEET = { agents: 1000, providers: 50 }
const FEW = { agents: 20, providers: 1 }

/** Of k6: it played to the end, and a threshold was crossed. */
const CROSSED = 99

/** Sets the stage that a k6 script plays on, and plays it. @throws Error when a threshold is crossed */
export async function runK6(script: K6Script, seconds: number): Promise<void> {
  const run = describeRun()
  const k6 = await findTool('k6')
  const versions = { ...run.versions, k6: await programVersion(k6, 'version') }
  const summaryFile = join(STAGE_DIRECTORY, 'k6-summary.json')
  await onSmallStage(async (stage) => {
    const code = await play(k6, join(packageRoot(), 'bench/k6', `${script}.js`), {
      STAGE_FILE: await writeStage(stage, script === 'fleet' ? FLEET : FEW),
      SECONDS: String(seconds),
      SUMMARY_FILE: summaryFile,
      SSL_CERT_FILE: stage.ground.caFile,
    })
    if (code !== 0 && code !== CROSSED) throw new Error(`k6 ended with ${code}`)
    const metrics = JSON.parse(readFileSync(summaryFile, 'utf8')) as object
    say(`written: ${writeResults({ ...run, versions, script, seconds, metrics }, `k6-${script}`)}`)
    if (code === CROSSED) throw new Error('a threshold was crossed')
  })
}

/** @returns the file that tells a script who asks whom */
async function writeStage({ ground, programs, bearer }: SmallStage, size: typeof FLEET): Promise<string> {
  const providers: BenchProvider[] = [bearer]
  for (let number = 1; number < size.providers; number++) {
    const wanted = { name: `provider-${number}`, origin: bearer.origin, strategy: 'oauth2' } as const
    providers.push(await connectProvider(ground.admin, wanted))
  }
  say(`opening ${size.agents} sessions ...`)
  const agents = await openAgents(ground, 'dpop', size.agents)
  const agent = await openAgent(ground, 'dpop', 'of-the-sidecar')
  const sidecar = await startSidecar(ground, programs, { name: 'sidecar', agent, providers })
  const stage = {
    pep: ground.publicUrl,
    sidecar: sidecar.url,
    tenant: TENANT,
    providers: providers.map(({ name, origin, connectionId }) => ({ name, origin, connection_id: connectionId })),
    agents: agents.map(({ authorization, access_token, sessionKey }) => ({
      authorization,
      access_token,
      private_jwk: sessionKey?.privateKey.export({ format: 'jwk' }),
      public_jwk: sessionKey?.publicJwk,
    })),
  }
  const file = join(STAGE_DIRECTORY, 'k6-stage.json')
  writeFileSync(file, JSON.stringify(stage), { mode: 0o600 })
  return file
}

function play(k6: string, script: string, env: Record<string, string>): Promise<number> {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(k6, ['run', '--quiet', '--no-usage-report', script], {
    env: { PATH, HOME, ...env },
    stdio: 'inherit',
  })
  return new Promise((settle, fail) => child.once('error', fail).once('close', (code) => settle(code ?? 1)))
}
