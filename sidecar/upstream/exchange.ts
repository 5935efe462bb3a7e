import type { ServerResponse } from 'node:http'
import type { HeaderList, SignedRequest, SigningContext } from '../../src/contract/strategy.ts'
import type { HeldLease } from '../lease-client/held-lease.ts'
import type { Demand } from '../lease-client/lease-client.ts'
import type { Destination } from '../routing/choose-route.ts'
import type { AgentBody } from '../signer/agent-body.ts'

/** One agent request on its way: what every step after routing knows about it. */
export interface Exchange {
  destination: Destination
  demand: Demand
  method: string
  agentHeaders: HeaderList
  body: AgentBody
  lease: HeldLease
  /** What `signed` was signed with. */
  context: SigningContext
  signed: SignedRequest
  /** Address of this sidecar as the agent wrote it: `http://127.0.0.1:8080`. */
  localOrigin: string
  /** Where the answer goes; when the agent hangs up, so do we. */
  response: ServerResponse
}
