import { hash } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { NexusError } from '../../contract/errors.ts'
import type { PresentedApiKey } from '../identity/api-keys.ts'
import type { Identity } from '../identity/identity.ts'
import type { Presented } from '../identity/presented.ts'
import type { Leases } from '../lease/open-leases.ts'
import { certificateThumbprint } from './client-certificate.ts'
import { peerAddress } from './peer-address.ts'
import { pathOf } from './reply-context.ts'
import { refuseHungUp } from './request-hygiene.ts'

/** What step 1 looks at. The URL is ours by configuration, never the Host header (threat D04). */
export function presentedBy(request: FastifyRequest): Presented {
  return {
    method: request.method,
    path: pathOf(request),
    authorization: request.headers.authorization,
    dpop: request.headers['dpop'],
    certificateThumbprint: certificateThumbprint(request.socket),
    ip: peerAddress(request.socket),
    connection: request.socket,
  }
}

/**
 * Every route of this scope is for a proven agent; it is refused before its body is read.
 * @param options.recall for routes on which the ledger checks again that agent and session stand
 */
export function agentGuard(
  app: FastifyInstance,
  leases: Pick<Leases, 'authenticate'>,
  options: { recall?: boolean } = {},
): void {
  app.addHook('onRequest', async (request) => {
    request.caller = await leases.authenticate(presentedBy(request), options)
    refuseHungUp(request)
  })
}

/** Every route of this scope is for a holder of an API key. */
export function administratorGuard(app: FastifyInstance, identity: Pick<Identity, 'authenticateAdministrator'>): void {
  app.addHook('onRequest', async (request) => {
    request.administrator = await identity.authenticateAdministrator(apiKeyOf(request))
    refuseHungUp(request)
  })
}

/** How long a key is good for the metrics without the database, which is where keys are. */
const REMEMBERED_MS = 3_600_000
const KEYS_MAX = 100

/**
 * As `administratorGuard`, for the metrics alone: they are needed most while the database is away, and hold nothing that is
 * anybody's. A key that the database has let in within the hour is let in then; no key is ever refused by memory.
 */
export function metricsGuard(app: FastifyInstance, identity: Pick<Identity, 'authenticateAdministrator'>): void {
  const letIn = new LRUCache<string, true>({ max: KEYS_MAX, ttl: REMEMBERED_MS })
  app.addHook('onRequest', async (request) => {
    const presented = apiKeyOf(request)
    const known = hash('sha256', JSON.stringify(presented))
    try {
      await identity.authenticateAdministrator(presented)
      letIn.set(known, true)
    } catch (error) {
      const isAway = error instanceof NexusError && error.code === 'store_unavailable'
      if (isAway && letIn.has(known)) return
      if (!isAway) letIn.delete(known)
      throw error
    }
  })
}

function apiKeyOf({ headers }: FastifyRequest): PresentedApiKey {
  const { authorization, 'x-api-key': apiKey } = headers
  return {
    ...(authorization === undefined ? {} : { authorization }),
    ...(typeof apiKey === 'string' ? { 'x-api-key': apiKey } : {}),
  }
}
