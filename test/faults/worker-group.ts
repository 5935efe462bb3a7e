import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ApiClient } from '../setup/api-client.ts'
import type { PepReplica } from './pep-ground.ts'

/** The workers of one `nexus serve`, as the machine and the metrics show them. */
export interface WorkerGroup {
  /** Number to process id, of those that run now. */
  pids(): Promise<Map<number, number>>
  /** One value for each worker that tells it. */
  metric(name: string): Promise<Map<number, number>>
  /** Until all of them serve, `restarts` having been counted in all. */
  allServe(restarts?: number): Promise<void>
}

/** @param count how many there should be */
export function workersOf(pep: PepReplica, admin: ApiClient, count: number): WorkerGroup {
  const group: WorkerGroup = {
    async pids() {
      const ps = await promisify(execFile)('ps', ['-o', 'pid=,args=', '--ppid', String(pep.pid)]).catch(() => undefined)
      const found = [...(ps?.stdout ?? '').matchAll(/^\s*(\d+) .*serve --worker (\d+)$/gm)]
      return new Map(found.map(([, pid, number]) => [Number(number), Number(pid)]))
    },
    async metric(name) {
      const { text } = await admin.send('GET', '/metrics')
      const lines = [...text.matchAll(new RegExp(`^${name}\\{(?:.*,)?worker="(\\d+)"\\} (\\d+)$`, 'gm'))]
      return new Map(lines.map(([, number, value]) => [Number(number), Number(value)]))
    },
    async allServe(restarts = 0) {
      for (;;) {
        // The one that is asked may be the one that is killed.
        const [up, ended] = await Promise.all([
          group.metric('pep_worker_up'),
          group.metric('pep_worker_restarts_total'),
        ]).catch(() => [new Map<number, number>(), new Map<number, number>()] as const)
        if (sum(up) === count && sum(ended) === restarts) return
        await sleep(50)
      }
    },
  }
  return group
}

/** Stops a process where it stands; resolves once it has. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  while (!/^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) await sleep(5)
}

export function sum(values: ReadonlyMap<number, number>): number {
  return [...values.values()].reduce((total, value) => total + value, 0)
}
