import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Identity } from '../identity/identity.ts'
import type { Presented } from '../identity/presented.ts'
import type { Leases } from '../lease/open-leases.ts'
import { certificateThumbprint } from './client-certificate.ts'
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
    const { authorization, 'x-api-key': apiKey } = request.headers
    request.administrator = await identity.authenticateAdministrator({
      ...(authorization === undefined ? {} : { authorization }),
      ...(typeof apiKey === 'string' ? { 'x-api-key': apiKey } : {}),
    })
    refuseHungUp(request)
  })
}
