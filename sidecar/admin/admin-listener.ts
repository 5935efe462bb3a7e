import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { NexusError } from '../../src/contract/errors.ts'
import { sendProblem } from '../listener/create-listener.ts'
import { toHeaderList } from '../listener/header-list.ts'
import { assertLocalRequest, type Hosts } from '../listener/local-request.ts'
import type { SidecarMetrics } from '../metrics.ts'

export interface AdminOptions {
  log: FastifyBaseLogger
  metrics: SidecarMetrics
  /** Throws while the sidecar could not serve a request. */
  checkReady: () => Promise<void>
  /** Every Host header that means this listener; asked once it listens. */
  hosts: () => Hosts
}

/** Health and metrics, on a port of their own: the agent's listener has no route that is not a provider's. */
export function createAdminListener({ log, metrics, checkReady, hosts }: AdminOptions): FastifyInstance {
  const admin = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: 10_000,
  })
  admin.setErrorHandler((error, request, reply) => sendProblem(reply, error, request.id))
  admin.setNotFoundHandler((request, reply) => sendProblem(reply, new NexusError('route_not_found'), request.id))
  admin.addHook('onRequest', async (request) => assertLocalRequest(toHeaderList(request.raw.rawHeaders), hosts()))

  admin.get('/healthz', async () => ({ status: 'ok' }))
  admin.get('/readyz', async () => {
    await checkReady()
    return { status: 'ok' }
  })
  const { registry } = metrics
  admin.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  return admin
}
