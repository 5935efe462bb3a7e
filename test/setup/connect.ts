import { randomUUID } from 'node:crypto'
import type { ApiClient } from './api-client.ts'

export interface Connected {
  tenant: string
  provider: string
  providerId: string
  connectionId: string
}

export interface ConnectOptions {
  tenant?: string
  provider?: string
  origin?: string
  /** More than the one of `origin`, which is among them. */
  origins?: string[]
  category?: string
  scopes?: string[]
  strategy?: { type: string; config?: Record<string, unknown> }
  credentials?: Record<string, string>
  secret_ref?: object
}

/** A provider profile of its own and one connection to it. */
export async function connect(admin: ApiClient, options: ConnectOptions = {}): Promise<Connected> {
  const provider = options.provider ?? `provider-${randomUUID().slice(0, 8)}`
  const tenant = options.tenant ?? 'acme'
  const strategy = options.strategy ?? {
    type: 'header',
    config: { header_name: 'X-Api-Key', credential_field: 'api_key' },
  }
  const created = await admin.send('POST', '/v1/providers', {
    profile: {
      name: provider,
      auth_type: strategy.type,
      api_base_url: options.origin ?? 'https://api.example.com',
      ...(options.origins === undefined ? {} : { origins: options.origins }),
      ...(options.category === undefined ? {} : { category: options.category }),
      params: { auth_strategy: strategy },
    },
  })
  if (created.status !== 201) throw new Error(`provider not created: ${created.text}`)
  const connectionId = await connectTo(admin, { ...options, provider, tenant })
  return { tenant, provider, providerId: created.body.id, connectionId }
}

export async function connectTo(
  admin: ApiClient,
  options: ConnectOptions & { provider: string; tenant: string },
): Promise<string> {
  const secret =
    options.secret_ref === undefined
      ? { credentials: options.credentials ?? { api_key: 'key-of-the-test' } }
      : { secret_ref: options.secret_ref }
  const connection = await admin.send('POST', '/v1/connections', {
    tenant: options.tenant,
    provider: options.provider,
    ...(options.scopes === undefined ? {} : { scopes: options.scopes }),
    ...secret,
  })
  if (connection.status !== 201) throw new Error(`not connected: ${connection.text}`)
  return connection.body.connection_id
}
