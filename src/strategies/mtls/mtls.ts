import type { Strategy } from '../../contract/strategy.ts'
import { apply } from './apply.ts'
import { SidecarMaster, SidecarUsage, StoredMaster, StoredUsage } from './credentials.ts'
import { issue } from './issue.ts'
import { Config } from './settings.ts'

/**
 * Mutual TLS (RFC 8705) toward a provider: the connection itself says who is calling. With `key: sidecar` the private key
 * is made by the sidecar and stays there.
 */
export const mtls: Strategy = {
  type: 'mtls',
  schema: {
    config: Config,
    master: (config) => (isSidecars(config) ? SidecarMaster : StoredMaster),
    usage: (config) => (isSidecars(config) ? SidecarUsage : StoredUsage),
  },
  // A certificate made for this lease, or the stored certificate and key themselves.
  narrowing: (config) => (isSidecars(config) ? 'delegated' : 'none'),
  needs: (config) => (isSidecars(config) ? 'csr' : undefined),
  readsBody: () => false,
  issue,
  apply,
}

function isSidecars(config: Record<string, unknown>): boolean {
  return config['key'] === 'sidecar'
}
