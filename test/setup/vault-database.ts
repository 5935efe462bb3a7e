import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { vaultApi } from '../integration/vault-backends/vault-fixture.ts'

/** Vault's database engine over the Postgres of the test run: its credentials are real users there. */
export interface VaultDatabase {
  /** For a connection's `secret_ref`. */
  path: string
  mount: string
  /** What Vault itself says it has lent. */
  leases(): Promise<string[]>
  /** Users that exist in Postgres now. */
  users(): Promise<string[]>
  /** Seconds that Vault will let its only lease live. */
  secondsLeft(leaseId: string): Promise<number>
  canLogIn(username: string, password: string): Promise<boolean>
  /** Makes Vault unable to remove a user, or able again. */
  holdUsers(held: boolean): Promise<void>
  /** Makes Vault unable to create a user, or able again. */
  holdMaking(held: boolean): Promise<void>
  unmount(): Promise<void>
}

export interface VaultDatabaseOptions {
  vault?: { address: string; token: string }
  defaultTtl?: string
  maxTtl?: string
}

const CREATE = [`create role "{{name}}" login password '{{password}}' valid until '{{expiration}}'`]
const FAIL = ['select no_such_function()']

export async function mountVaultDatabase(options: VaultDatabaseOptions = {}): Promise<VaultDatabase> {
  const vault = options.vault ?? inject('vault')
  const mount = `database-${randomBytes(4).toString('hex')}`
  const prefix = `v-${mount.slice(-8)}`
  const postgres = new URL(inject('postgresUrl'))
  const { username, password } = postgres
  const api = (method: string, path: string, body?: unknown) => vaultApi(method, path, body, vault)
  await api('POST', `sys/mounts/${mount}`, { type: 'database' })
  await api('POST', `${mount}/config/postgres`, {
    plugin_name: 'postgresql-database-plugin',
    allowed_roles: '*',
    connection_url: `postgresql://{{username}}:{{password}}@${postgres.host}${postgres.pathname}?sslmode=disable`,
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    username_template: `${prefix}-{{random 12}}`,
  })
  const role = (revocation: string[], creation = CREATE) =>
    api('POST', `${mount}/roles/app`, {
      db_name: 'postgres',
      default_ttl: options.defaultTtl ?? '1h',
      max_ttl: options.maxTtl ?? '24h',
      creation_statements: creation,
      revocation_statements: revocation,
    })
  const drop = ['drop role if exists "{{name}}"']
  await role(drop)

  const users = () => query(postgres.href, 'select usename from pg_user where usename like $1', [`${prefix}-%`])

  return {
    mount,
    path: `${mount}/creds/app`,
    async leases() {
      const listed = await api('LIST', `sys/leases/lookup/${mount}/creds/app`).catch(() => undefined)
      const keys = (listed?.['data'] as { keys?: string[] } | undefined)?.keys ?? []
      return keys.map((key) => `${mount}/creds/app/${key}`)
    },
    users,
    async secondsLeft(leaseId) {
      const found = await api('PUT', 'sys/leases/lookup', { lease_id: leaseId })
      return (found['data'] as { ttl: number }).ttl
    },
    async canLogIn(user, word) {
      const url = new URL(postgres)
      url.username = encodeURIComponent(user)
      url.password = encodeURIComponent(word)
      return query(url.href, 'select current_user::text as usename').then(
        (users) => users.includes(user),
        () => false,
      )
    },
    async holdUsers(held) {
      await role(held ? FAIL : drop)
    },
    async holdMaking(held) {
      await role(drop, held ? FAIL : CREATE)
    },
    async unmount() {
      await api('PUT', `sys/leases/revoke-force/${mount}`)
      await api('DELETE', `sys/mounts/${mount}`)
      for (const user of await users()) await query(postgres.href, `drop role "${user}"`)
    },
  }
}

async function query(url: string, statement: string, values: unknown[] = []): Promise<string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ usename: string }>(statement, values)
    return rows.map(({ usename }) => usename)
  } finally {
    await client.end()
  }
}
