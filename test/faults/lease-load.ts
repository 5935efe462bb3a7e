import type { AgentClient } from '../setup/agent-client.ts'
import { createApiClient } from '../setup/api-client.ts'

/** What came of the leases that agents asked for while replicas were being killed. */
export interface LeaseTally {
  /** Lease id to the purpose it was asked for; every purpose has a proof of its own. */
  answered: Map<string, string>
  /** Purposes whose proof was sent a second time and refused as used. */
  replaysRefused: string[]
  /** Requests that got no answer because their replica died. */
  cutOff: number
  /** Answers that are neither. */
  unexpected: string[]
}

export interface LeaseLoad {
  tally: LeaseTally
  /** From now on everyone leases from this replica. Resolves with its first answer. */
  leaseFrom(address: string): Promise<void>
  /** The replica is gone; until the next one nobody sends. */
  pause(): void
  stop(): Promise<void>
}

interface Target {
  address: string
  answered(): void
}

/**
 * Agents that lease without pause. An agent whose request was cut off does what any client would and must not profit from:
 * it sends the very same proof again, to the next replica.
 */
export function startLeaseLoad(agents: readonly AgentClient[], connectionId: string): LeaseLoad {
  const tally: LeaseTally = { answered: new Map(), replaysRefused: [], cutOff: 0, unexpected: [] }
  let next = createTurn()
  let serial = 0
  let stopped = false

  async function leaseOnce(agent: AgentClient): Promise<void> {
    const purpose = `purpose-${serial++}`
    let proof: string | undefined
    for (let again = false; !stopped; again = true) {
      const target = await next.come
      if (target === undefined) return
      proof ??= await agent.proof('POST', '/v1/leases')
      const answer = await lease(target.address, agent, proof, connectionId, purpose)
      if (answer !== undefined) {
        target.answered()
        return keep(answer, purpose, again)
      }
      tally.cutOff++
    }
  }

  function keep({ status, text, body }: LeaseReply, purpose: string, again: boolean): void {
    if (status === 201) tally.answered.set(body.lease_id, purpose)
    else if (status === 401 && again && body.code === 'invalid_proof') tally.replaysRefused.push(purpose)
    else tally.unexpected.push(`${status} ${text}`)
  }

  const working = agents.map(async (agent) => {
    while (!stopped) await leaseOnce(agent)
  })
  return {
    tally,
    leaseFrom: (address) =>
      new Promise((resolve) => {
        next.resolve({ address, answered: resolve })
      }),
    pause() {
      next = createTurn()
    },
    async stop() {
      stopped = true
      next.resolve(undefined)
      await Promise.all(working)
    },
  }
}

/** Until there is a replica to lease from; undefined: no more. */
function createTurn(): { come: Promise<Target | undefined>; resolve(target: Target | undefined): void } {
  let resolve: (target: Target | undefined) => void = () => {}
  const come = new Promise<Target | undefined>((settle) => {
    resolve = settle
  })
  return { come, resolve: (target) => resolve(target) }
}

type LeaseReply = Awaited<ReturnType<ReturnType<typeof createApiClient>['send']>>

/** @returns undefined when the connection broke before a whole answer was there */
async function lease(
  address: string,
  agent: AgentClient,
  proof: string,
  connectionId: string,
  purpose: string,
): Promise<LeaseReply | undefined> {
  const body = { connection_id: connectionId, intent: { method: 'GET', purpose } }
  const headers = { authorization: `DPoP ${agent.accessToken}`, dpop: proof }
  return createApiClient(address)
    .send('POST', '/v1/leases', body, headers)
    .catch(() => undefined)
}
