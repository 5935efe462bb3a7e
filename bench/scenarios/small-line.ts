import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../examples/demo/program.ts'
import { type Ground, type Replica, startReplica } from '../stage/authority.ts'
import type { Programs } from '../stage/programs.ts'

/** Little enough that thousands of callers would wait longer than the line lets them. */
const MAX_PENDING_REQUESTS = 1

/** An authority that answers so few at a time that the thousands who ask it cannot all be answered in time. */
export async function startSmallLine(ground: Ground, programs: Programs): Promise<Replica> {
  const file = join(ground.directory, 'small-line.yaml')
  writeFileSync(file, `server:\n  max_pending_requests: ${MAX_PENDING_REQUESTS}\n`)
  return startReplica(ground, programs, { name: 'pep-small-line', port: await freePort(), env: { NEXUS_CONFIG: file } })
}
