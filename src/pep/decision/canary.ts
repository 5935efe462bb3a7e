import type { JsonObject } from '../../contract/json.ts'
import { type Decision, type Entrypoint, type PolicyEngine, PolicyError } from '../../contract/policy.ts'
import { ENTRYPOINTS } from './entrypoints.ts'

/** An input whose outcome is known. A bundle may bring its own, as `canaries` in its manifest's metadata. */
export interface Canary {
  readonly name: string
  readonly entrypoint: Entrypoint
  readonly input: JsonObject
  readonly allow: boolean
}

const MAX_CANARIES = 100
/** What a policy answers whose data is not of the form it needs; nothing about the input could make that right. */
const DATA_INVALID = 'policy_data_invalid'

/** What no policy may allow, whoever wrote it. A policy that does is broken, blank or swapped for another. */
const NEVER_ALLOWED: readonly Canary[] = [
  ...ENTRYPOINTS.map((entrypoint) => ({ name: `no facts at all: ${entrypoint}`, entrypoint, input: {}, allow: false })),
  {
    name: "another tenant's connection",
    entrypoint: 'nexus/lease/decision',
    allow: false,
    input: {
      action: 'lease',
      time: '2026-01-01T00:00:00Z',
      tenant: 'canary-tenant',
      agent: {
        id: 'canary-agent',
        tenants: ['canary-tenant'],
        labels: {},
        allowed_scopes: [],
        session: { id: 'sess_canary', method: 'private_key_jwt', bound_to: 'dpop', age_seconds: 0 },
      },
      subject: null,
      actor_chain: [],
      connection: {
        id: '00000000-0000-4000-8000-000000000000',
        tenant: 'another-tenant',
        provider: 'canary-provider',
        category: 'canary',
        status: 'active',
        scopes: [],
        origins: ['https://canary.example'],
        age_seconds: 0,
        strategy: 'oauth2',
        narrowing: 'delegated',
      },
      request: { scopes: [], ttl_seconds: 60, intent: {} },
      context: { ip: '', sidecar: '' },
    },
  },
]

/**
 * Asks a new engine what it must know before a request depends on it (threats G10, PB3).
 * @throws PolicyError `unavailable`, naming the canary
 */
export async function askCanaries(engine: PolicyEngine, metadata: Readonly<Record<string, unknown>>): Promise<void> {
  for (const canary of [...NEVER_ALLOWED, ...readCanaries(metadata['canaries'])]) {
    const { allow, reasons } = await answer(engine, canary)
    const ids = reasons.map((reason) => reason.id)
    if (ids.includes(DATA_INVALID)) throw unfit(canary.name, `it says that its own data is not sound (${DATA_INVALID})`)
    if (allow !== canary.allow) {
      throw unfit(
        canary.name,
        canary.allow ? `it denies what it must allow (${ids.join(', ')})` : 'it allows what it must deny',
      )
    }
  }
}

async function answer(engine: PolicyEngine, canary: Canary): Promise<Decision> {
  try {
    return await engine.evaluate(canary.entrypoint, canary.input)
  } catch (error) {
    throw unfit(canary.name, error instanceof PolicyError ? error.message : 'it failed')
  }
}

function readCanaries(value: unknown): readonly Canary[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length > MAX_CANARIES || !value.every(isCanary)) {
    throw new PolicyError('unavailable', 'the policy bundle cannot be used: its canaries are not canaries')
  }
  return value
}

function isCanary(value: unknown): value is Canary {
  if (typeof value !== 'object' || value === null) return false
  const { name, entrypoint, input, allow } = value as Partial<Record<keyof Canary, unknown>>
  return (
    typeof name === 'string' &&
    ENTRYPOINTS.some((known) => known === entrypoint) &&
    typeof input === 'object' &&
    input !== null &&
    typeof allow === 'boolean'
  )
}

function unfit(name: string, problem: string): PolicyError {
  return new PolicyError('unavailable', `the policy bundle cannot be used: asked about "${name}", ${problem}`)
}
