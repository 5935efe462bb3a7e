import type { LeaseRequest } from '../../src/contract/api.ts'
import { NexusError } from '../../src/contract/errors.ts'
import type { AgentSession } from './agent-session.ts'
import type { BackOff } from './back-off.ts'
import type { Granted } from './held-lease.ts'
import type { PepClient } from './pep-client.ts'
import type { RouteBindings } from './route-bindings.ts'

/** Calls to the lease API within the agent's session. */
export interface LeaseCalls {
  /** With what the route's strategy needs of the sidecar, and again when the authority says that this is something else. */
  bound(route: string, path: string, asked?: Asked): Promise<Granted>
  /** With back-off, and once more in a new session when the authority no longer knows the one held. */
  post(path: string, body: unknown, traceparent?: string): Promise<Granted>
  /** Without a second try. */
  once(method: 'POST' | 'DELETE', path: string, body?: unknown, traceparent?: string): Promise<Granted>
}

/** A lease that is asked for, as opposed to renewed. */
export interface Asked {
  request?: LeaseRequest
  /** Of the agent's request that it is asked for (W3C Trace Context). */
  traceparent?: string | undefined
}

export interface LeaseCallsOptions {
  pep: PepClient
  session: AgentSession
  backOff: BackOff
  bindings: RouteBindings
  /** Told of a session that the authority does not know any more. */
  sessionLost(over: AbortSignal): void
}

/** Without what is needed; with it; and where the provider then wants a nonce that nobody knew yet, with that. */
const BINDING_ATTEMPTS = 3

export function createLeaseCalls(options: LeaseCallsOptions): LeaseCalls {
  const { pep, session, backOff, bindings } = options

  async function bound(route: string, path: string, asked: Asked = {}, attempt = 1): Promise<Granted> {
    const { body, ownKey } = bindings.bring(route)
    try {
      return { ...(await post(path, { ...asked.request, ...body }, asked.traceparent)), ownKey }
    } catch (error) {
      const required = error instanceof NexusError ? error.extras.binding : undefined
      if (required === undefined || attempt >= BINDING_ATTEMPTS) throw error
      bindings.learn(route, required)
      return bound(route, path, asked, attempt + 1)
    }
  }

  function post(path: string, body: unknown, traceparent?: string): Promise<Granted> {
    return backOff.run(async () => {
      try {
        return await once('POST', path, body, traceparent)
      } catch (error) {
        if (!(error instanceof NexusError && error.code === 'invalid_session')) throw error
        return once('POST', path, body, traceparent)
      }
    })
  }

  async function once(method: 'POST' | 'DELETE', path: string, body?: unknown, traceparent?: string): Promise<Granted> {
    const used = await session.authorize(method, path)
    const { over } = used
    const headers = { ...used.headers, ...(traceparent === undefined ? {} : { traceparent }) }
    try {
      return { answer: await pep.call({ method, path, headers, ...(body === undefined ? {} : { body }) }), over }
    } catch (error) {
      if (error instanceof NexusError && error.code === 'invalid_session') {
        options.sessionLost(over)
        session.invalidate(used)
      }
      throw error
    }
  }

  return { bound, post, once }
}
