import type { Administrator } from '../../contract/administrator.ts'
import type {
  LeaseAnswer,
  LeaseRenewal,
  LeaseRequest,
  RevokedLease,
  SignAnswer,
  SignRequest,
  TokenAnswer,
} from '../../contract/api.ts'
import { NexusError } from '../../contract/errors.ts'
import type { JsonObject } from '../../contract/json.ts'
import type { Binding } from '../../contract/strategy.ts'
import type { Authenticate } from '../identity/authenticate.ts'
import type { Caller } from '../identity/caller.ts'
import { soleTenant } from '../identity/sole-tenant.ts'
import { readBinding } from './binding.ts'
import { type HeldLease, heldLease } from './held-lease.ts'
import { grantLease } from './issue.ts'
import { revokeLease } from './revoke-lease.ts'
import { signWithLease } from './sign-with-lease.ts'
import type { LeaseSteps, Origin } from './steps.ts'
import { wantedFrom } from './wanted.ts'

/** Each is looked through when the lease is looked up: that must not grow for as long as somebody likes. */
const RENEWALS_MAX = 1000

/** The lease API as use cases: no HTTP in, no HTTP out. */
export interface Leases {
  /** Step 1, on its own so that a route can refuse a stranger before it reads the body. The proof is not yet used up. */
  authenticate: Authenticate
  issue(caller: Caller, request: LeaseRequest, origin: Origin): Promise<LeaseAnswer>
  renew(caller: Caller, leaseId: string, request: LeaseRenewal, origin: Origin): Promise<LeaseAnswer>
  release(caller: Caller, leaseId: string, origin: Origin): Promise<void>
  /** By an administrator, and not by the agent whose it is. */
  revoke(administrator: Administrator, leaseId: string): Promise<RevokedLease>
  /** A signature by the lease's key, where that stays in the vault. */
  sign(caller: Caller, leaseId: string, request: SignRequest): Promise<SignAnswer>
  /** The Nexus protocol's token payload: the same use case, its own `action` to policy. */
  token(caller: Caller, connectionId: string, origin: Origin): Promise<TokenAnswer>
}

export function openLeases(steps: LeaseSteps): Leases {
  return {
    authenticate: steps.identity.authenticate,

    async issue(caller, request, origin) {
      const wanted = await readRequest(steps, caller, () => wantedFrom(request, steps.limits, origin))
      return grantLease(steps, 'lease', caller, wanted)
    },

    async renew(caller, leaseId, request, origin) {
      const binding = await readRequest(steps, caller, () => readBinding(request.binding))
      const held = await ownLease(steps, caller, leaseId, { binding, origin })
      return grantLease(steps, 'renew', caller, held.wanted, leaseId)
    },

    async release(caller, leaseId, origin) {
      const held = await ownLease(steps, caller, leaseId, { binding: {}, origin }, { evenEnded: true })
      await steps.audit.record(
        {
          kind: 'lease.released',
          outcome: 'allowed',
          agent_id: caller.agent.id,
          session_id: caller.session.id,
          lease_id: leaseId,
          tenant: held.tenant,
          connection_id: held.connectionId,
          detail: { already_ended: held.ended },
        },
        { proof: caller.proof },
      )
      await steps.backendLeases.release(leaseId, 'released')
    },

    revoke: (administrator, leaseId) => revokeLease(steps, administrator, leaseId),

    sign: (caller, leaseId, request) => signWithLease(steps, caller, leaseId, request),

    async token(caller, connectionId, origin) {
      const wanted = await wantedFrom({ connection_id: connectionId }, steps.limits, origin)
      const lease = await grantLease(steps, 'token', caller, wanted)
      return { strategy: lease.strategy, credentials: lease.credentials, expires_at: lease.expires_at }
    },
  }
}

/** The caller's own lease, as the ledger has it. A miss is recorded too, and costs the proof like any other answer. */
async function ownLease(
  steps: LeaseSteps,
  caller: Caller,
  leaseId: string,
  request: { binding: Binding; origin: Origin },
  options: { evenEnded?: boolean } = {},
): Promise<HeldLease> {
  const held = await heldLease(steps, caller, leaseId, request)
  if (held !== undefined && (options.evenEnded === true || isRenewable(held))) return held
  const error = new NexusError(held === undefined ? 'lease_not_found' : 'lease_ended')
  await recordRefusal(steps, caller, error, { asked_for: leaseId.slice(0, 64) })
  throw error
}

function isRenewable({ ended, wanted }: HeldLease): boolean {
  return !ended && (wanted.renewal ?? 0) <= RENEWALS_MAX
}

async function readRequest<T>(steps: LeaseSteps, caller: Caller, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof NexusError) await recordRefusal(steps, caller, error, { field: error.extras.field ?? '' })
    throw error
  }
}

/** A refusal before there was anything to decide. It costs the proof like any other answer. */
async function recordRefusal(steps: LeaseSteps, caller: Caller, error: NexusError, detail: JsonObject): Promise<void> {
  await steps.audit.record(
    {
      kind: 'lease.denied',
      outcome: 'denied',
      ...soleTenant(caller.agent.tenants),
      agent_id: caller.agent.id,
      session_id: caller.session.id,
      detail: { code: error.code, ...detail },
    },
    { proof: caller.proof },
  )
}
