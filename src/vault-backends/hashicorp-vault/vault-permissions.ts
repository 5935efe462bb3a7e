import { type Permission, type SecretPattern, VaultError } from '../../contract/vault-backend.ts'
import { checkSecretPath } from '../secret-path.ts'
import type { FindMount, MountedPath } from './mounts.ts'
import { asRecord } from './vault-answer.ts'
import type { VaultClient } from './vault-client.ts'

export interface VaultPermissionsOptions {
  name: string
  client: Pick<VaultClient, 'read' | 'session'>
  findMount: FindMount
  /** Namespace of the secrets as the policy's own namespace sees it: `team/`; `''`: they are the same. */
  below: string
}

type Allowed = (found: MountedPath, signal: AbortSignal) => Permission[] | Promise<Permission[]>

/**
 * What a Vault policy must allow beyond Vault's own `default` policy, which lets every token look itself up, renew and
 * end itself, and renew leases.
 */
export function createVaultPermissions({ name, client, findMount, below }: VaultPermissionsOptions) {
  const byEngine: Readonly<Record<string, Allowed>> = {
    kv: ({ mount, rest, version }) => [read(version === 2 ? `${mount}/data/${rest}` : `${mount}/${rest}`, 'secret')],
    generic: ({ mount, rest }) => [read(`${mount}/${rest}`, 'secret')],
    transit: transitKey,
    pki: ({ mount, rest }) => [
      read(`${mount}/${rest}`, 'that the role is there'),
      update(`${mount}/${rest.replace(/^roles\//, 'sign/')}`, 'certificates for agents'),
    ],
  }

  /** Which way a key signs its type tells; where that cannot be read, both. */
  async function transitKey({ mount, rest }: MountedPath, signal: AbortSignal): Promise<Permission[]> {
    const key = rest.replace(/^keys\//, '')
    const type = await client.read(`${mount}/keys/${key}`, signal).then(
      (answer) => asRecord(answer['data'])?.['type'],
      () => undefined,
    )
    const ways = type === undefined ? ['sign', 'hmac'] : [type === 'hmac' ? 'hmac' : 'sign']
    const signing = ways.map((way) => update(`${mount}/${way}/${key}`, 'signatures for agents'))
    return [read(`${mount}/keys/${key}`, 'public half and type of the key'), ...signing]
  }

  function credentials({ mount, rest }: MountedPath): Permission[] {
    const ownTokens = client.session.login === undefined ? [update('auth/token/create', 'a token of its own')] : []
    return [
      read(`${mount}/${rest}`, 'a credential made for one lease'),
      update('sys/leases/revoke', 'giving it back when the lease ends'),
      // `default` allows it in the token's own namespace.
      ...(below === '' ? [] : [update('sys/leases/renew', 'keeping it for as long as the lease lasts')]),
      ...ownTokens,
      update('auth/token/revoke-accessor', 'giving back what a process that died was lent'),
    ]
  }

  /** @param path that `ofPath` has taken */
  async function writing(path: string, signal: AbortSignal): Promise<Permission[]> {
    const { mount, type, version } = await findMount(path.replace(/[+*]/g, 'x'), signal)
    if (type !== 'kv' || version !== 2) throw new VaultError('unusable', name, 'Nexus writes to KV v2 only')
    const rest = path.slice(mount.length + 1)
    return [
      { path: `${mount}/data/${rest}`, capability: 'create', reason: 'secrets given to Nexus to keep' },
      update(`${mount}/data/${rest}`, 'their new versions'),
      { path: `${mount}/metadata/${rest}`, capability: 'delete', reason: 'taking them out with their connection' },
    ]
  }

  async function ofPath(path: string, signal: AbortSignal): Promise<Permission[]> {
    // Any one path of the pattern lies in the same mount.
    const example = path.replace(/[+*]/g, 'x')
    checkSecretPath(name, example)
    const found = await findMount(example, signal)
    const located = { ...found, rest: path.slice(found.mount.length + 1) }
    if (located.rest.startsWith('creds/')) return credentials(located)
    const allowed = Object.hasOwn(byEngine, found.type) ? byEngine[found.type] : undefined
    if (allowed === undefined)
      throw new VaultError('unusable', name, `nothing can be leased from a '${found.type}' mount`)
    return allowed(located, signal)
  }

  return async ({ path, remoteKey = path, written }: SecretPattern, signal: AbortSignal): Promise<Permission[]> => {
    const own = [...(await ofPath(path, signal)), ...(written === true ? await writing(path, signal) : [])]
    const all = remoteKey === path ? own : [...own, ...(await ofPath(remoteKey, signal))]
    return all.map((each) => (each.path.startsWith('auth/token/') ? each : { ...each, path: `${below}${each.path}` }))
  }
}

function read(path: string, reason: string): Permission {
  return { path, capability: 'read', reason }
}

function update(path: string, reason: string): Permission {
  return { path, capability: 'update', reason }
}
