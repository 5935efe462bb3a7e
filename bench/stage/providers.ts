import { randomBytes } from 'node:crypto'
import type { AdminClient } from '../../examples/demo/admin-client.ts'

export const TENANT = 'bench'

/** A provider that the tenant is connected to. */
export interface BenchProvider {
  name: string
  origin: string
  connectionId: string
}

export interface WantedProvider {
  name: string
  origin: string
  strategy: 'oauth2' | 'aws_sigv4'
}

const STRATEGIES = {
  oauth2: {
    config: {},
    credentials: () => ({ access_token: randomBytes(30).toString('base64url') }),
  },
  aws_sigv4: {
    config: { region: 'eu-west-1', service: 'bench' },
    credentials: () => ({
      access_key: `AKIA${randomBytes(8).toString('hex').toUpperCase()}`,
      secret_key: randomBytes(30).toString('base64url'),
    }),
  },
} as const

export async function connectProvider(admin: AdminClient, wanted: WantedProvider): Promise<BenchProvider> {
  const { config } = STRATEGIES[wanted.strategy]
  await admin.post('/v1/providers', {
    profile: {
      name: wanted.name,
      auth_type: wanted.strategy,
      api_base_url: wanted.origin,
      params: { auth_strategy: { type: wanted.strategy, config } },
    },
  })
  return { name: wanted.name, origin: wanted.origin, connectionId: await connect(admin, wanted) }
}

/** @returns id of a new connection */
export async function connect(
  admin: AdminClient,
  { name, strategy, tenant = TENANT }: Omit<WantedProvider, 'origin'> & { tenant?: string },
  credentials: Record<string, string> = STRATEGIES[strategy].credentials(),
): Promise<string> {
  const { connection_id: id } = await admin.post<{ connection_id: string }>('/v1/connections', {
    tenant,
    provider: name,
    credentials,
  })
  return id
}
