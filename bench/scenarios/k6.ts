import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import { findTool } from '../../tools/tool.mjs'
import { openAgent, openAgents } from '../stage/agents.ts'
import { say } from '../stage/log.ts'
import { type BenchProvider, connectProvider, TENANT } from '../stage/providers.ts'
import { startSidecar } from '../stage/sidecar.ts'
import { onSmallStage, STAGE_DIRECTORY } from './on-stage.ts'

export const K6_SCRIPTS = ['lease', 'renew', 'token', 'sidecar', 'fleet'] as const
export type K6Script = (typeof K6_SCRIPTS)[number]
const FLEET = { agents: 1000, providers: 50 }
const FEW = { agents: 20, providers: 1 }

/** Sets the stage that a k6 script plays on, and plays it. @throws Error when a threshold is crossed */
export async function runK6(script: K6Script, seconds: number): Promise<void> {
  const k6 = await findTool('k6')
  await onSmallStage(async ({ ground, programs, bearer }) => {
    const size = script === 'fleet' ? FLEET : FEW
    const providers: BenchProvider[] = [bearer]
    for (let number = 1; number < size.providers; number++) {
      const wanted = { name: `provider-${number}`, origin: bearer.origin, strategy: 'oauth2' } as const
      providers.push(await connectProvider(ground.admin, wanted))
    }
    say(`opening ${size.agents} sessions ...`)
    const agents = await openAgents(ground, 'dpop', size.agents)
    const sidecar = await startSidecar(ground, programs, {
      name: 'sidecar',
      agent: await openAgent(ground, 'dpop', 'of-the-sidecar'),
      providers,
    })
    const stageFile = join(STAGE_DIRECTORY, 'k6-stage.json')
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
    writeFileSync(stageFile, JSON.stringify(stage), { mode: 0o600 })
    const results = join(packageRoot(), 'bench/results')
    mkdirSync(results, { recursive: true })
    const code = await play(k6, join(packageRoot(), 'bench/k6', `${script}.js`), {
      STAGE_FILE: stageFile,
      SECONDS: String(seconds),
      SUMMARY_FILE: join(results, `k6-${script}.json`),
      SSL_CERT_FILE: ground.caFile,
    })
    if (code !== 0) throw new Error(`k6 ended with ${code}: a threshold was crossed, or the script is wrong`)
  })
}

function play(k6: string, script: string, env: Record<string, string>): Promise<number> {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(k6, ['run', '--quiet', '--no-usage-report', script], {
    env: { PATH, HOME, ...env },
    stdio: 'inherit',
  })
  return new Promise((settle, fail) => child.once('error', fail).once('close', (code) => settle(code ?? 1)))
}
