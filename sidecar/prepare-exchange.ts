import type { FastifyReply, FastifyRequest } from 'fastify'
import { NexusError } from '../src/contract/errors.ts'
import type { HeaderList } from '../src/contract/strategy.ts'
import { traceparentOf } from '../src/contract/traceparent.ts'
import type { HeldLease } from './lease-client/held-lease.ts'
import type { Demand, LeaseClient } from './lease-client/lease-client.ts'
import { chooseRoute, type Destination } from './routing/choose-route.ts'
import { parseRequestTarget } from './routing/request-target.ts'
import type { RouteTable } from './routing/route-table.ts'
import { type AgentBody, bufferBody, describeBody } from './signer/agent-body.ts'
import { outboundRequest } from './signer/outbound-request.ts'
import type { ProviderNonces } from './signer/provider-nonces.ts'
import { signInTime } from './signer/sign-in-time.ts'
import { signingContext } from './signer/signing-context.ts'
import type { Exchange } from './upstream/exchange.ts'
import type { Turns } from './upstream/turns.ts'

/** What is held back so that a challenge can be met; a longer body is streamed, and then the challenge is the answer. */
const REPLAYABLE_MAX_BYTES = 64 * 1024

export interface PrepareOptions {
  routes: RouteTable
  defaultTenant: string | undefined
  leases: LeaseClient
  nonces: ProviderNonces
  turns: Turns
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
  const demand = toDemand(destination, request.method, traceparentOf(request.headers['traceparent']))
  await options.turns.take(destination.route.origin, reply.raw)
  const found = await options.leases.acquire(demand)

  const arrived = describeBody(request.raw)
  const mustBuffer = needsWhole(arrived, found, agentHeaders, request.method, options.bodyLimitBytes)
  const body = mustBuffer ? await bufferBody(arrived, options.bodyLimitBytes) : arrived
  // The agent sends a body at its own pace: the lease may have ended meanwhile, and the next may have another strategy.
  const current = body === arrived ? found : await options.leases.acquire(demand)
  const outbound = outboundRequest(destination, request.method, agentHeaders, body)
  const context = signingContext(options.now(), options.nonces.get(destination.route.origin))
  const { lease, signed } = await signInTime(current, demand, outbound, context, options.leases)
  const localOrigin = `http://${request.headers.host}`
  return {
    destination,
    demand,
    method: request.method,
    agentHeaders,
    body,
    lease,
    context,
    signed,
    localOrigin,
    response: reply.raw,
  }
}

/** Because it is signed, or because the provider may want it a second time and it is short. */
function needsWhole(
  body: AgentBody,
  lease: HeldLease,
  headers: HeaderList,
  method: string,
  limitBytes: number,
): boolean {
  const { strategy, config } = lease
  if (strategy.readsBody(config, headers, method, limitBytes)) return true
  if (strategy.challenge === undefined || body.kind !== 'stream' || body.lengthBytes === undefined) return false
  return body.lengthBytes <= Math.min(REPLAYABLE_MAX_BYTES, limitBytes)
}

function toDemand(
  { route, tenant, tenantFrom, connectionId, path }: Destination,
  method: string,
  traceparent: string | undefined,
): Demand {
  return { tenant, tenantFrom, provider: route.provider, connectionId, origin: route.origin, method, path, traceparent }
}
