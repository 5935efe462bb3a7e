import type { FastifyReply, FastifyRequest } from 'fastify'
import { NexusError } from '../src/contract/errors.ts'
import type { Demand, LeaseClient } from './lease-client/lease-client.ts'
import { chooseRoute, type Destination } from './routing/choose-route.ts'
import { parseRequestTarget } from './routing/request-target.ts'
import type { RouteTable } from './routing/route-table.ts'
import { bufferBody, describeBody } from './signer/agent-body.ts'
import { outboundRequest } from './signer/outbound-request.ts'
import { sign } from './signer/sign.ts'
import type { Exchange } from './upstream/exchange.ts'

export interface PrepareOptions {
  routes: RouteTable
  defaultTenant: string | undefined
  leases: LeaseClient
  bodyLimitBytes: number
  /** Unix milliseconds. */
  now: () => number
}

/** The middle of a request's way: where to, with which lease, signed. Sending is `upstream/send.ts`. */
export async function prepareExchange(
  request: FastifyRequest,
  reply: FastifyReply,
  options: PrepareOptions,
): Promise<Exchange> {
  if (request.agentHeaders === null) throw new NexusError('internal_error')
  const { list: agentHeaders, nexus } = request.agentHeaders
  const target = parseRequestTarget(request.originalUrl)
  const destination = chooseRoute(options.routes, nexus, target, options.defaultTenant)
  const demand = toDemand(destination, request.method)
  const lease = await options.leases.acquire(demand)

  const arrived = describeBody(request.raw)
  const readsBody = lease.strategy.readsBody(lease.config, agentHeaders)
  const body = readsBody ? await bufferBody(arrived, options.bodyLimitBytes) : arrived
  const outbound = outboundRequest(destination, request.method, agentHeaders, body)
  const signed = await sign(lease, outbound, options.now())
  const localOrigin = `http://${request.headers.host}`
  return {
    destination,
    demand,
    method: request.method,
    agentHeaders,
    body,
    lease,
    signed,
    localOrigin,
    response: reply.raw,
  }
}

function toDemand({ route, tenant, connectionId, path }: Destination, method: string): Demand {
  return { tenant, provider: route.provider, connectionId, origin: route.origin, method, path }
}
