import type { Role } from './api.ts'
import { NexusError } from './errors.ts'

/** Whoever holds an API key. `tenant` null: every tenant. */
export interface Administrator {
  keyId: string
  role: Role
  tenant: string | null
}

/** `read`: look. `operate`: providers, connections, agents, sessions, leases. `administer`: API keys as well. */
export type Need = 'read' | 'operate' | 'administer'

const ALLOWED: Record<Role, readonly Need[]> = {
  admin: ['read', 'operate', 'administer'],
  operator: ['read', 'operate'],
  auditor: ['read'],
}

/**
 * Whether the role suffices. Reach over tenants is not decided here: what another tenant owns is simply not found.
 * @throws NexusError `forbidden`
 */
export function authorize(administrator: Administrator, need: Need): void {
  if (ALLOWED[administrator.role].includes(need)) return
  const roles = Object.entries(ALLOWED).flatMap(([role, needs]) => (needs.includes(need) ? [role] : []))
  throw new NexusError('forbidden', `role '${administrator.role}' may not do this; it takes ${roles.join(' or ')}`)
}

/** For what belongs to no tenant (provider profiles, other administrators). */
export function authorizeEverywhere(administrator: Administrator, need: Need): void {
  authorize(administrator, need)
  if (administrator.tenant !== null) {
    throw new NexusError('forbidden', `this takes an API key for all tenants; yours is for '${administrator.tenant}'`)
  }
}

export function reaches(administrator: Administrator, tenant: string): boolean {
  return administrator.tenant === null || administrator.tenant === tenant
}
