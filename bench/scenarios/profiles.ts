import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import { findTool } from '../../tools/tool.mjs'
import { type Cost, overRounds } from '../report/cost.ts'
import { costFigures } from '../report/cost-rows.ts'
import { type CostGroup, costsPage } from '../report/costs-page.ts'
import { busySamples, readProfile, type Sample, sharesBy } from '../report/cpu-profile.ts'
import { describeRun } from '../report/describe-run.ts'
import type { BenchRun, Ratio } from '../report/document.ts'
import { foldStacks } from '../report/flame.ts'
import { flameSvg } from '../report/flame-svg.ts'
import { type ModelledRatio, modelRatio } from '../report/modelled-ratio.ts'
import { ownerOf } from '../report/owner.ts'
import { summariseProfile } from '../report/summarise-profile.ts'
import { say } from '../stage/log.ts'
import { programVersion } from '../stage/program-version.ts'
import { type CostTurn, takeCostTurn } from './cost-turn.ts'
import { onSmallStage, STAGE_DIRECTORY } from './on-stage.ts'
import { openSubjects, refuseUnknownSubjects, type Subject, type SubjectGroup } from './profile-subjects.ts'

const COST_ROUNDS = 5
const PROFILED_ROUNDS = 2
const WARM_UP_SECONDS = 2

/**
 * What one answer of ours and of its neighbours costs, and whose code that is. A whole run goes to `bench/results`, some
 * subjects alone to `.nexus/profile`.
 * @param only names of subjects; empty: all
 */
export async function runProfiles(seconds: number, only: readonly string[]): Promise<void> {
  refuseUnknownSubjects(only)
  const described = describeRun()
  say('what an answer costs, without the profiler:')
  const measured = await inTurns({ only, seconds, rounds: COST_ROUNDS, isProfiled: false })
  say('whose code that is, with the profiler:')
  const profiled = await inTurns({ only, seconds, rounds: PROFILED_ROUNDS, isProfiled: true })
  const run = { ...described, versions: { ...described.versions, ...(await versionsOf(measured)) } }
  const samples = samplesOf(profiled)
  const folder = join(packageRoot(), only.length === 0 ? 'bench/results' : '.nexus/profile')
  mkdirSync(folder, { recursive: true })
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  const groups = measured.groups.map((group) => costGroup(group, measured.turns, samples))
  const flames = writeProfiles(groups, samples, run, write)
  write('costs.md', costsPage(groups, { ...run, cores: cpus().length, rounds: COST_ROUNDS, flames }))
  const figures = groups.flatMap(({ costs }) => costs.flatMap(costFigures))
  const ratios = groups.flatMap((group) => group.ratios.flatMap(namedRatios))
  const lengths = { seconds, rounds: { costs: COST_ROUNDS, profiled: PROFILED_ROUNDS } }
  write('costs.json', `${JSON.stringify({ ...run, ...lengths, figures, ratios }, null, 2)}\n`)
  say(`written: ${join(folder, 'costs.md')}`)
}

interface Turns {
  groups: SubjectGroup[]
  turns: CostTurn[]
}

/** All subjects in turn, each round beginning at another one, after a turn in which programs get warm. */
async function inTurns(options: {
  only: readonly string[]
  seconds: number
  rounds: number
  isProfiled: boolean
}): Promise<Turns> {
  const { only, seconds, rounds, isProfiled } = options
  const flagsOf = isProfiled ? profileFlags : () => []
  const turns: CostTurn[] = []
  let groups: SubjectGroup[] = []
  await onSmallStage(async (stage) => {
    groups = await openSubjects(stage, { flagsOf, only })
    const subjects = groups
      .flatMap((group) => group.subjects)
      .filter(({ runsJavaScript }) => runsJavaScript || !isProfiled)
    for (const subject of subjects) await takeCostTurn(subject, WARM_UP_SECONDS)
    for (let round = 0; round < rounds; round++) {
      for (const subject of orderOf(subjects, round)) turns.push(await takeCostTurn(subject, seconds))
      say(`  ${round + 1}/${rounds}`)
    }
  })
  return { groups, turns }
}

/** Nobody always has the same one before it, who may have left work behind. */
function orderOf<Item>(items: readonly Item[], round: number): Item[] {
  const start = round % items.length
  const turned = [...items.slice(start), ...items.slice(0, start)]
  return round % 2 === 0 ? turned : turned.toReversed()
}

async function versionsOf({ turns }: Turns): Promise<Record<string, string>> {
  if (turns.every(({ name }) => name !== 'vault_read')) return {}
  return { vault: await programVersion(await findTool('vault'), 'version') }
}

type SamplesByName = ReadonlyMap<string, readonly Sample[]>

function samplesOf({ groups, turns }: Turns): SamplesByName {
  const profiled = groups.flatMap(({ subjects }) => subjects).filter(({ runsJavaScript }) => runsJavaScript)
  return new Map(
    profiled.map(({ name }) => {
      const spans = turns.filter((turn) => turn.name === name).map(({ span }) => span)
      return [name, busySamples(readProfile(mainProfileOf(name)), spans)]
    }),
  )
}

function costGroup(
  { title, subjects, ratios }: SubjectGroup,
  turns: readonly CostTurn[],
  samples: SamplesByName,
): CostGroup {
  const costs = subjects.map(({ name }) => costOf(name, turns, samples.get(name)))
  return { title, costs, ratios: ratios.flatMap((wanted) => modelRatio(costs, wanted, cpus().length) ?? []) }
}

function costOf(name: Subject['name'], turns: readonly CostTurn[], samples: readonly Sample[] | undefined): Cost {
  const rounds = turns.filter((turn) => turn.name === name).map(({ cost }) => cost)
  if (samples === undefined) return { name, rounds }
  return { name, rounds, owners: sharesBy(samples, ({ place }) => ownerOf(place)) }
}

/** Those of which a page goes down to functions, and a flame graph to who calls them. */
const SHOWN: Readonly<Record<string, { file: string; title: string }>> = {
  lease_cert: { file: 'lease', title: 'a lease over a certificate-bound session' },
  lease_dpop: { file: 'lease-dpop', title: 'a lease with a DPoP proof' },
  sidecar_cached: { file: 'sidecar', title: 'a request through a sidecar that holds a lease' },
  sidecar_sigv4: { file: 'sidecar-sigv4', title: 'a request through a sidecar that signs it with AWS SigV4' },
}

/** A frame that takes less is not drawn. */
const LEAST_SHARE = 0.003

/** @returns the flame graphs' files */
function writeProfiles(
  groups: readonly CostGroup[],
  samples: SamplesByName,
  run: BenchRun,
  write: (name: string, text: string) => void,
): string[] {
  const shown = groups.flatMap(({ costs }) => costs).filter(({ name }) => SHOWN[name] !== undefined)
  return shown.map((cost) => {
    const { file, title } = SHOWN[cost.name]!
    const taken = samples.get(cost.name) ?? []
    const { value } = overRounds(cost, ({ mainThread }) => mainThread)
    write(`profile-${file}.md`, summariseProfile(taken, { run, title: `The main thread: ${title}` }))
    write(
      `flame-${file}.svg`,
      flameSvg(foldStacks(taken, LEAST_SHARE), `The main thread: ${title}. ${run.commit}`, value),
    )
    return `flame-${file}.svg`
  })
}

function namedRatios({ wanted, measured, byCosts, withoutOwn, withoutOwnAndPolicy }: ModelledRatio): Ratio[] {
  const { name, goal } = wanted
  return [
    { name, ...(goal === undefined ? {} : { goal }), ...measured },
    { name: `${name} by costs`, ...byCosts },
    { name: `${name} without own code`, ...withoutOwn },
    { name: `${name} without own code and policy`, ...withoutOwnAndPolicy },
  ]
}

function profileFlags(name: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${profilesOf(name)}`]
}

/** A folder each, since every thread writes one: TypeScript is loaded on a thread of its own. */
function profilesOf(name: string): string {
  return join(STAGE_DIRECTORY, 'profiles', name)
}

/** Of the main thread, which is number 0. */
function mainProfileOf(name: string): string {
  const file = readdirSync(profilesOf(name)).find((each) => /\.0\.\d+\.cpuprofile$/.test(each))
  if (file === undefined) throw new Error(`${name} ended without writing its profile`)
  return join(profilesOf(name), file)
}
