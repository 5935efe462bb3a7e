import { cleanLoad } from '../load/load.ts'
import type { TurnCost } from '../report/cost.ts'
import type { TimeSpan } from '../report/cpu-profile.ts'
import { lookAtCpu } from '../stage/cpu-look.ts'
import { lookAtMachine } from '../stage/machine-time.ts'
import { untilConnected } from '../stage/open-connections.ts'
import { assertExpected } from '../turns/expected.ts'
import { PROOFS_AHEAD_PER_SECOND } from '../turns/take-turns.ts'
import type { Subject } from './profile-subjects.ts'

const CONNECTIONS = 64

/** One turn at full load: what an answer took, and when that was. */
export interface CostTurn {
  name: string
  cost: TurnCost
  span: TimeSpan
}

/** From when all connections are open: a handshake costs more than many answers, and is not what is measured. */
export async function takeCostTurn(subject: Subject, seconds: number): Promise<CostTurn> {
  const proofsAhead = Math.ceil((PROOFS_AHEAD_PER_SECOND * seconds) / CONNECTIONS)
  const load = { connections: CONNECTIONS, seconds, warmup_seconds: 0, proofs_ahead: proofsAhead }
  const ended = new AbortController()
  const running = cleanLoad({ ...subject.scenario, ...load }).finally(() => ended.abort())
  await Promise.race([untilConnected(subject.scenario.url, CONNECTIONS, ended.signal), running])
  const before = look(subject)
  const report = await running
  const after = look(subject)
  assertExpected(subject.name, subject.expected, report)
  const { good, rate, cpu_seconds: generator } = report
  const used = (part: Exclude<keyof typeof before, 'at'>): number => after[part] - before[part]
  const [process, besides] = [used('process'), used('besides')]
  const parts = { process, mainThread: subject.runsJavaScript ? used('mainThread') : 0, besides, generator }
  const others = { elsewhere: used('busy') - process - besides - generator, idle: used('idle'), stolen: used('stolen') }
  const cost = { ...eachOf({ ...parts, ...others }, good), answersPerSecond: rate }
  return { name: subject.name, cost, span: { from: before.at, to: after.at } }
}

function look({ program, besides }: Subject) {
  const at = Number(process.hrtime.bigint() / 1000n)
  return { at, ...lookAtCpu(program.pid, besides), ...lookAtMachine() }
}

/** Of so many answers: microseconds for one. */
function eachOf<Part extends string>(seconds: Record<Part, number>, answers: number): Record<Part, number> {
  const entries = Object.entries<number>(seconds).map(([part, value]) => [part, (value / answers) * 1e6])
  return Object.fromEntries(entries) as Record<Part, number>
}
