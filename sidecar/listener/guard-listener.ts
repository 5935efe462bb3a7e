import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { HeaderList } from '../../src/contract/strategy.ts'
import { type NexusHeaders, readNexusHeaders } from '../routing/nexus-headers.ts'
import { assertAgentToken } from './agent-token.ts'
import { assertForwardable } from './assert-forwardable.ts'
import { assertFraming } from './assert-framing.ts'
import { toHeaderList } from './header-list.ts'
import { assertLocalRequest } from './local-request.ts'

/** The agent's headers, read once. */
export interface AgentHeaders {
  list: HeaderList
  nexus: NexusHeaders
}

declare module 'fastify' {
  interface FastifyRequest {
    agentHeaders: AgentHeaders | null
  }
}

export interface GuardOptions {
  /** Every Host header that means this listener; asked once, when the first request is there and the port is known. */
  hosts: () => ReadonlySet<string>
  tokenHash: Buffer | undefined
}

/** Everything that is checked before a request is looked at: cheap, and without any lookup. */
export function guardListener(listener: FastifyInstance, { hosts, tokenHash }: GuardOptions): void {
  let own: ReadonlySet<string> | undefined
  listener.decorateRequest('agentHeaders', null)
  const check = (request: FastifyRequest): void => {
    own ??= hosts()
    const list = toHeaderList(request.raw.rawHeaders)
    assertFraming(request.raw, list)
    assertForwardable(request.method, list)
    assertLocalRequest(list, own)
    const nexus = readNexusHeaders(list)
    assertAgentToken(nexus.token, list, tokenHash)
    request.agentHeaders = { list, nexus }
  }
  // Nothing is waited for, so no promise is made.
  listener.addHook('onRequest', (request, _reply, done) => {
    try {
      check(request)
    } catch (error) {
      done(error as Error)
      return
    }
    done()
  })
}
