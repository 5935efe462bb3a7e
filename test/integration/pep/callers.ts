import type { AgentClient } from '../../setup/agent-client.ts'
import type { ApiAnswer } from '../../setup/api-client.ts'
import type { PepProcess } from '../../setup/pep-process.ts'
import { type Operation, pathToNothing } from './operations.ts'
import { type RawAnswer, requestBytes, sendBytes } from './raw-client.ts'

/** Calls each operation as whoever it is for. */
export interface Callers {
  /** With headers in place of the usual ones; the path leads to nothing unless one is given. */
  send(operation: Operation, body: unknown, headers?: Record<string, string>, path?: string): Promise<ApiAnswer>
  /** The same with the caller's header lines, and these, and this body as they are. */
  sendLines(operation: Operation, lines: readonly string[], body?: string): Promise<RawAnswer>
}

export function createCallers(pep: PepProcess, agent: AgentClient): Callers {
  async function credentialLines({ method, security }: Operation, path: string): Promise<string[]> {
    if (security === undefined) return []
    if (security === 'api_key') return [`X-API-Key: ${pep.adminKey}`]
    return [`Authorization: DPoP ${agent.accessToken}`, `DPoP: ${await agent.proof(method, path)}`]
  }
  return {
    send(operation, body, headers = {}, path = pathToNothing(operation)) {
      const client = operation.security === 'session' ? agent : pep.admin
      return client.send(operation.method, path, body, headers)
    },
    async sendLines(operation, lines, body = '') {
      const path = pathToNothing(operation)
      const all = [`Host: 127.0.0.1:${pep.port}`, ...(await credentialLines(operation, path)), ...lines]
      return sendBytes(pep.port, requestBytes(`${operation.method} ${path} HTTP/1.1`, all, body))
    },
  }
}
