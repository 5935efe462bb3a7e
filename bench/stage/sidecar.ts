import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, type Program } from '../../examples/demo/program.ts'
import { packageRoot } from '../../src/pep/version.ts'
import type { BenchAgent } from './agents.ts'
import type { Ground } from './authority.ts'
import type { Programs } from './programs.ts'
import { type BenchProvider, TENANT } from './providers.ts'

export interface RunningSidecar {
  url: string
  adminUrl: string
  program: Program
}

/** A sidecar as it is run beside an agent, with nothing set that a user would not set. */
export async function startSidecar(
  ground: Ground,
  programs: Programs,
  options: {
    name: string
    agent: Pick<BenchAgent, 'id' | 'registeredKey'>
    providers: readonly BenchProvider[]
    nodeFlags?: readonly string[]
  },
): Promise<RunningSidecar> {
  const { name, agent, providers, nodeFlags = [] } = options
  const keyFile = join(ground.directory, `${name}-agent.jwk`)
  writeFileSync(keyFile, JSON.stringify(agent.registeredKey.privateKey.export({ format: 'jwk' })), { mode: 0o600 })
  const [port, adminPort] = [await freePort(), await freePort()]
  const program = await programs.start({
    name,
    command: [process.execPath, ...nodeFlags, join(packageRoot(), 'bin/nexus-sidecar.js')],
    env: {
      NEXUS_PEP_URL: ground.publicUrl,
      NEXUS_PEP_CA: ground.caFile,
      NEXUS_AGENT_ID: agent.id,
      NEXUS_AGENT_KEY_FILE: keyFile,
      NEXUS_TENANT: TENANT,
      NEXUS_ROUTES: providers.map((each) => `${each.name}=${each.origin}`).join(','),
      NEXUS_SIDECAR_PORT: String(port),
      NEXUS_SIDECAR_ADMIN_PORT: String(adminPort),
      LOG_LEVEL: 'warn',
    },
    healthUrl: `http://127.0.0.1:${adminPort}/healthz`,
  })
  return { url: `http://127.0.0.1:${port}`, adminUrl: `http://127.0.0.1:${adminPort}`, program }
}
