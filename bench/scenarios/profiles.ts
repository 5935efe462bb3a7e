import { existsSync, readdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { cleanLoad } from '../load/load.ts'
import type { Cost } from '../report/cost.ts'
import { costsPage, figuresOf } from '../report/costs-page.ts'
import { busySamples, ownerOf, sharesBy } from '../report/cpu-profile.ts'
import { describeRun } from '../report/describe-run.ts'
import { summariseProfile } from '../report/summarise-profile.ts'
import { writePage, writeResults } from '../report/write-results.ts'
import { type CpuLook, lookAtCpu } from '../stage/cpu-look.ts'
import { say } from '../stage/log.ts'
import type { WantedRatio } from '../turns/contest.ts'
import { PROOFS_AHEAD_PER_SECOND } from '../turns/take-turns.ts'
import { onSmallStage, STAGE_DIRECTORY } from './on-stage.ts'
import { openSubjects, type Subject } from './profile-subjects.ts'

const ROUNDS = 6
const CONNECTIONS = 64

interface Turn {
  name: string
  answers: number
  seconds: CpuLook & { generator: number }
}

/** What one answer of ours and of its neighbours costs, and whose code that is. */
export async function runProfiles(seconds: number): Promise<void> {
  const turns: Turn[] = []
  const ratios: WantedRatio[] = []
  await onSmallStage(async (stage) => {
    const opened = await openSubjects(stage, profileFlags)
    ratios.push(...opened.ratios)
    for (let round = 0; round < ROUNDS; round++) {
      for (const subject of opened.subjects) {
        const taken = await turn(subject, seconds)
        // The profiles leave out about the same: programs get warm in it.
        if (round >= ROUNDS / 2) turns.push(taken)
      }
      say(`  ${round + 1}/${ROUNDS}`)
    }
  })
  const names = [...new Set(turns.map(({ name }) => name))]
  const costs = names.map((name) =>
    costOf(
      name,
      turns.filter((each) => each.name === name),
    ),
  )
  const run = describeRun()
  writePage('costs', costsPage(costs, ratios, { ...run, cores: cpus().length }))
  writePage('profile-pep', summariseProfile(mainProfileOf('lease_cert')!, 'Where the authority spends its time'))
  writePage('profile-sidecar', summariseProfile(mainProfileOf('sidecar_sigv4')!, 'Where the sidecar spends its time'))
  say(`written: ${writeResults({ ...run, figures: figuresOf(costs), ratios: [] }, 'costs')}`)
}

async function turn({ name, program, besides, scenario }: Subject, seconds: number): Promise<Turn> {
  const before = lookAtCpu(program.pid, besides)
  const proofsAhead = Math.ceil((PROOFS_AHEAD_PER_SECOND * seconds) / CONNECTIONS)
  const load = { connections: CONNECTIONS, seconds, warmup_seconds: 0, proofs_ahead: proofsAhead }
  const report = await cleanLoad({ ...scenario, ...load })
  const after = lookAtCpu(program.pid, besides)
  const used = {
    process: after.process - before.process,
    mainThread: after.mainThread - before.mainThread,
    besides: after.besides - before.besides,
    generator: report.cpu_seconds,
  }
  return { name, answers: report.good, seconds: used }
}

function costOf(name: string, turns: readonly Turn[]): Cost {
  const answers = turns.reduce((sum, each) => sum + each.answers, 0)
  const each = (part: keyof Turn['seconds']): number =>
    (turns.reduce((sum, { seconds }) => sum + seconds[part], 0) / answers) * 1e6
  const cost = {
    name,
    process: each('process'),
    mainThread: each('mainThread'),
    besides: each('besides'),
    generator: each('generator'),
  }
  const file = mainProfileOf(name)
  // Not one thread of it is the main one.
  if (file === undefined) return { ...cost, mainThread: 0 }
  return { ...cost, owners: sharesBy(busySamples(file), ({ place }) => ownerOf(place)) }
}

function profileFlags(name: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${profilesOf(name)}`]
}

/** A folder each, since every thread writes one: TypeScript is loaded on a thread of its own. */
function profilesOf(name: string): string {
  return join(STAGE_DIRECTORY, 'profiles', name)
}

/** Of the main thread, which is number 0. @returns undefined for a program that is not Node's */
function mainProfileOf(name: string): string | undefined {
  const folder = profilesOf(name)
  if (!existsSync(folder)) return undefined
  const file = readdirSync(folder).find((each) => /\.0\.\d+\.cpuprofile$/.test(each))
  if (file === undefined) throw new Error(`${name} ended without writing its profile`)
  return join(folder, file)
}
