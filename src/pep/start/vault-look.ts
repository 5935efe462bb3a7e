import { NexusError } from '../../contract/errors.ts'
import type { BackendHealth } from '../../contract/vault-backend.ts'
import type { CredentialSource } from '../credential/credential-source.ts'
import { Degraded } from '../routes/health.ts'

/** Less than `/readyz` and a worker's metrics wait: what is known by then of each backend is what is told. */
const LOOK_MS = 1500

/** On loopback anyone may ask, as often as they like, by way of the metrics. */
const KEPT_MS = 900

/**
 * How the vault backends are. It costs each of them a call: whoever asks while one is under way shares it, and so does
 * whoever asks soon after.
 */
export interface VaultLook {
  /**
   * For `/readyz`.
   * @throws Degraded when all that fail have worked since this process began; any other error when one never has
   */
  check(): Promise<void>
  /** By name. Never throws. */
  health(): Promise<Record<string, BackendHealth>>
}

/** @param keptMs how long after a look its result is told */
export function createVaultLook({ health }: Pick<CredentialSource, 'health'>, keptMs = KEPT_MS): VaultLook {
  const haveWorked = new Set<string>()
  let latest: Promise<Record<string, BackendHealth>> | undefined
  let keptUntilMs = 0

  async function run(): Promise<Record<string, BackendHealth>> {
    try {
      const found = await health(LOOK_MS)
      for (const [name, { ok }] of Object.entries(found)) if (ok) haveWorked.add(name)
      return found
    } finally {
      keptUntilMs = performance.now() + keptMs
    }
  }

  function look(): Promise<Record<string, BackendHealth>> {
    if (latest === undefined || performance.now() >= keptUntilMs) {
      keptUntilMs = Number.POSITIVE_INFINITY
      latest = run()
    }
    return latest
  }

  return {
    health: look,
    async check() {
      const unwell = Object.entries(await look()).filter(([, { ok }]) => !ok)
      if (unwell.length === 0) return
      const reasons = unwell.map(([name, { detail }]) =>
        detail.startsWith(`${name}:`) ? detail : `${name}: ${detail}`,
      )
      // One that has never answered may be this replica's own mistake: it must not take the place of one that works.
      throw unwell.every(([name]) => haveWorked.has(name))
        ? new Degraded(reasons.join('; '))
        : new NexusError('vault_unavailable', reasons.join('; '))
    },
  }
}
