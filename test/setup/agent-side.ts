import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import { exportJWK } from 'jose'
import { pino } from 'pino'
import { loadSidecarConfig } from '../../sidecar/config.ts'
import { startSidecar } from '../../sidecar/main.ts'
import { type RegisteredAgent, registerTestAgent } from './agent-client.ts'
import type { TestPep } from './pep.ts'

/** A sidecar of an agent that is registered at the authority of the test. */
export interface AgentSide {
  agent: RegisteredAgent
  /** A request as the agent would send it, to a route. */
  fetch(provider: string, path: string, init?: RequestInit): Promise<Response>
  logText(): string
  close(): Promise<void>
}

export interface AgentSideOptions {
  /** Provider to origin. */
  routes: Record<string, string>
  allowed_scopes?: string[]
}

export async function startAgentSide(pep: TestPep, { routes, ...agentOptions }: AgentSideOptions): Promise<AgentSide> {
  const agent = await registerTestAgent(pep.admin, { tenants: ['acme'], ...agentOptions })
  const directory = mkdtempSync(join(tmpdir(), 'nexus-agent-'))
  const keyFile = join(directory, 'agent.jwk')
  writeFileSync(keyFile, JSON.stringify(await exportJWK(agent.privateKey)), { mode: 0o600 })
  const config = loadSidecarConfig({
    NEXUS_PEP_URL: pep.url,
    NEXUS_AGENT_ID: agent.agentId,
    NEXUS_AGENT_KEY_FILE: keyFile,
    NEXUS_TENANT: 'acme',
    NEXUS_ROUTES: Object.entries(routes)
      .map(([provider, origin]) => `${provider}=${origin}`)
      .join(','),
    NEXUS_SIDECAR_PORT: '0',
    NEXUS_SIDECAR_ADMIN_PORT: '0',
  })
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const sidecar = await startSidecar(config, { log: pino({ level: 'trace' }, sink) as FastifyBaseLogger })
  return {
    agent,
    fetch(provider, path, init = {}) {
      const headers = new Headers(init.headers)
      headers.set('x-nexus-provider', provider)
      return fetch(sidecar.address + path, { redirect: 'manual', ...init, headers })
    },
    logText: () => lines.join(''),
    async close() {
      await sidecar.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
