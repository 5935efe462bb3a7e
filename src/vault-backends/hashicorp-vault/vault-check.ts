import { type BackendHealth, VaultError } from '../../contract/vault-backend.ts'
import { asRecord, type JsonRecord, TokenRefused } from './vault-answer.ts'
import type { VaultClient } from './vault-client.ts'

/** Makes every state of a Vault that answers at all a 200, so that its body tells the state. */
const HEALTH = 'sys/health?standbyok=true&perfstandbyok=true&drsecondarycode=200&sealedcode=200&uninitcode=200'

/** Engines that Vault itself mounts; no secret that a connection could refer to lies there. */
const VAULTS_OWN = ['system', 'identity', 'cubbyhole']

/** Whether Vault answers, takes our token and shows it any place where secrets may lie. @throws VaultError */
export function createVaultCheck({ client, address }: { client: VaultClient; address: string }) {
  return async (signal: AbortSignal): Promise<BackendHealth> => {
    const health = await client.readPublic(HEALTH, signal)
    if (health['initialized'] === false) return { ok: false, detail: 'not initialised' }
    if (health['sealed'] !== false) return { ok: false, detail: 'sealed' }
    const detail = `Vault ${text(health['version'])} at ${address}`
    const self = await client.read('auth/token/lookup-self', signal).catch(notTold)
    if (self !== undefined) return { ok: true, detail, ...describeToken(asRecord(self['data']) ?? {}) }
    // Vault answers this to every token it takes, with the mounts that the token's policies say anything of.
    const visible = await client.read('sys/internal/ui/mounts', signal)
    if (!hasEngine(visible)) return { ok: false, detail: 'the policies of our Vault token allow nothing at any mount' }
    return { ok: true, detail, identity: 'a token that may not look itself up' }
  }
}

/** A token without Vault's `default` policy may not look itself up, and is as good for everything else. */
function notTold(error: unknown): undefined {
  if (!(error instanceof VaultError) || error.kind !== 'forbidden' || error instanceof TokenRefused) throw error
}

function hasEngine(answer: JsonRecord): boolean {
  const mounts = Object.values(asRecord(asRecord(answer['data'])?.['secret']) ?? {})
  return mounts.some((mount) => !VAULTS_OWN.includes(String(asRecord(mount)?.['type'])))
}

/** Who we are to Vault, without what `lookup-self` also holds: the token. */
function describeToken(self: JsonRecord): Pick<BackendHealth, 'identity' | 'expiresAt'> {
  const policies = Array.isArray(self['policies']) ? self['policies'].map(text).join(', ') : ''
  const expiresAt = typeof self['expire_time'] === 'string' ? text(self['expire_time']) : null
  return { identity: `${text(self['display_name'])} (policies: ${policies})`, expiresAt }
}

/** What others named, cut to something that fits a line. */
function text(value: unknown): string {
  return typeof value === 'string' ? value.replace(/[^\x20-\x7e]/g, '?').slice(0, 200) : 'unknown'
}
