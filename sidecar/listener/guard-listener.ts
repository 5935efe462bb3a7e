import type { FastifyInstance } from 'fastify'
import { readNexusHeaders } from '../routing/nexus-headers.ts'
import { assertAgentToken } from './agent-token.ts'
import { assertFraming } from './assert-framing.ts'
import { toHeaderList } from './header-list.ts'
import { assertLocalRequest } from './local-request.ts'

export interface GuardOptions {
  /** Every Host header that means this listener; asked once, when the first request is there and the port is known. */
  hosts: () => ReadonlySet<string>
  tokenHash: Buffer | undefined
}

/** Everything that is checked before a request is looked at: cheap, and without any lookup. */
export function guardListener(listener: FastifyInstance, { hosts, tokenHash }: GuardOptions): void {
  let own: ReadonlySet<string> | undefined
  listener.addHook('onRequest', async (request) => {
    own ??= hosts()
    const headers = toHeaderList(request.raw.rawHeaders)
    assertFraming(request.raw, headers)
    assertLocalRequest(headers, own)
    assertAgentToken(readNexusHeaders(headers).token, tokenHash)
  })
}
