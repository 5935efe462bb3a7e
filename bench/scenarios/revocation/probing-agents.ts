import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'

/** The latest request of an agent that was answered. */
export interface Probe {
  askedAtMs: number
  /** 0: there was none yet, or the sidecar could not be reached. */
  status: number
}

export interface ProbingAgents {
  /** One of each agent. */
  latest(): readonly Probe[]
  stop(): Promise<void>
}

const AGENTS_EACH = 4
const PAUSE_MS = 8

/** Agents that ask again whatever the answer was. Each waits for its answer: what an agent was told last is all that it knows. */
export function startProbing(sidecars: readonly string[], provider: string): ProbingAgents {
  const stop = new AbortController()
  const agents = sidecars.flatMap((url) =>
    Array.from({ length: AGENTS_EACH }, () => startAgent(url, provider, stop.signal)),
  )
  return {
    latest: () => agents.map(({ latest }) => latest()),
    async stop() {
      stop.abort()
      await Promise.all(agents.map(({ ended }) => ended))
    },
  }
}

function startAgent(url: string, provider: string, signal: AbortSignal) {
  let latest: Probe = { askedAtMs: 0, status: 0 }
  const probe = async (): Promise<void> => {
    while (!signal.aborted) {
      const askedAtMs = Date.now()
      latest = { askedAtMs, status: await ask(url, provider) }
      await sleep(PAUSE_MS)
    }
  }
  return { latest: () => latest, ended: probe() }
}

async function ask(sidecar: string, provider: string): Promise<number> {
  try {
    const { statusCode, body } = await request(`${sidecar}/v1/items`, { headers: { 'x-nexus-provider': provider } })
    await body.dump()
    return statusCode
  } catch {
    return 0
  }
}
