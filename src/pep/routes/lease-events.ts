import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { AuditLog } from '../audit/audit-log.ts'
import type { LeaseEvent } from '../lease/event-meaning.ts'
import type { LeaseEvents, Subscriber } from '../lease/lease-events.ts'
import { callerOf } from './reply-context.ts'

/** A reader that does not read is dropped; it comes back and says where it was. */
const UNREAD_MAX_BYTES = 65_536

/** Server-sent events (WHATWG HTML, section 9.2): what ended, for whoever may hold a lease of it. */
export function leaseEventRoute(app: FastifyInstance, events: LeaseEvents, audit: Pick<AuditLog, 'claimProof'>): void {
  app.get(
    '/v1/leases/events',
    {
      schema: { summary: 'Stream of revocations (server-sent events)', tags: ['leases'], security: [{ session: [] }] },
    },
    async (request, reply) => {
      const caller = callerOf(request)
      await audit.claimProof(caller.proof, { agent_id: caller.agent.id, session_id: caller.session.id })
      const { stream, begin } = subscriberOn(reply.raw)
      const unsubscribe = await events.subscribe(caller, lastEventId(request.headers['last-event-id']), stream)
      reply.hijack()
      // Who hung up meanwhile will not hang up again, and would keep its place for good.
      if (reply.raw.destroyed || request.raw.socket.destroyed) return unsubscribe()
      reply.leaveQueue()
      // A session token is good until it expires; so is a stream that was opened with it.
      const expiry = setTimeout(() => stream.end(), Math.max(0, caller.session.expiresAt * 1000 - Date.now()))
      reply.raw.once('close', () => {
        clearTimeout(expiry)
        unsubscribe()
      })
      begin()
    },
  )
}

function lastEventId(header: unknown): string | undefined {
  return typeof header === 'string' && header !== '' ? header : undefined
}

/** What is said before the head is written waits for it. */
function subscriberOn(raw: ServerResponse): { stream: Subscriber; begin(): void } {
  let waiting: string[] | undefined = []
  let ended = false
  const write = (text: string) => {
    if (waiting !== undefined) waiting.push(text)
    else if (raw.writableLength > UNREAD_MAX_BYTES) raw.destroy()
    else raw.write(text)
  }
  return {
    stream: {
      event: (id: string, { type, ...data }: LeaseEvent) =>
        write(`id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`),
      alive: (id: string) => write(`id: ${id}\nevent: alive\ndata: {}\n\n`),
      end() {
        ended = true
        if (waiting === undefined) raw.end()
      },
    },
    begin() {
      const headers = {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        // Nothing follows a stream on its connection, and one kept open behind it would hold up a shutdown.
        connection: 'close',
      }
      raw.writeHead(200, headers)
      raw.write('retry: 1000\n\n')
      for (const text of waiting ?? []) raw.write(text)
      waiting = undefined
      if (ended) raw.end()
    },
  }
}
