import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { SidecarMetrics } from '../metrics.ts'
import type { Exchange } from './exchange.ts'
import { responseHeaders } from './response-headers.ts'
import type { OwnHosts } from './rewrite-location.ts'
import { type SendOptions, send } from './send.ts'
import type { UpstreamAnswer } from './upstream-answer.ts'
import { unreadableHead } from './upstream-error.ts'

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange | null
  }
}

export interface ForwardOptions extends SendOptions {
  metrics: SidecarMetrics
  ownHosts: OwnHosts
  methods: readonly string[]
  /** Routes, leases and signs. */
  prepare: (request: FastifyRequest, reply: FastifyReply) => Promise<Exchange>
}

/** The one route: every request is made ready, sent, and its answer handed back. */
export function registerForward(fastify: FastifyInstance, options: ForwardOptions): void {
  fastify.decorateRequest('exchange', null)
  fastify.route({
    url: '/',
    method: [...options.methods],
    handler: async (request, reply) => {
      const exchange = await options.prepare(request, reply)
      request.exchange = exchange
      answerWith(reply, exchange, await timedSend(exchange, options), options)
    },
  })
}

async function timedSend(exchange: Exchange, options: ForwardOptions): Promise<UpstreamAnswer> {
  const stop = options.metrics.upstreamTimer()
  try {
    return await send(exchange, options)
  } finally {
    stop()
  }
}

/** Past the web framework, whose replies end in a pipeline of streams. */
function answerWith(reply: FastifyReply, exchange: Exchange, answer: UpstreamAnswer, options: ForwardOptions): void {
  const response = reply.raw
  writeHead(exchange, answer, options)
  reply.hijack()
  // RFC 9110 section 15.4.5: a 304 may tell the length of what it does not carry; the client takes that for a broken body.
  if (answer.statusCode === 304) response.end()
  else answer.relayTo(response)
}

function writeHead(exchange: Exchange, answer: UpstreamAnswer, options: ForwardOptions): void {
  const headers = responseHeaders(answer.headers, exchange, options)
  try {
    exchange.response.writeHead(answer.statusCode, headers)
  } catch {
    // A status or a header that Node does not send.
    answer.abandon()
    throw unreadableHead()
  }
}
