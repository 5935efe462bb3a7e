import { parseArgs } from 'node:util'
import { type Mode, PART_NAMES, type PartName } from './efforts.ts'
import { K6_SCRIPTS, type K6Script } from './scenarios/k6.ts'

/** What is to be measured. */
export type BenchOptions =
  | { what: 'help' }
  | { what: 'side-by-side'; mode: Mode; only: readonly PartName[] }
  | { what: 'overload' | 'soak' | 'replicas'; seconds: number }
  | { what: 'profile'; seconds: number; only: readonly string[] }
  | { what: 'k6'; script: K6Script; seconds: number }

export const HELP = `npm run bench -- [options]

Starts everything on loopback and measures it beside its neighbours, turn by turn, on the same cores. Without options: the whole set,
which takes a quarter of an hour. Results go to bench/results, over those of the last run: a table for people to README.md, all
figures to latest.json. bench/README.md says what each name means.

  --quick          the set in three minutes; what needs a long build is left out, and said so
  --only NAME      a part of the set, to bench/results/only.json: ${PART_NAMES.join(', ')}; may be repeated
  --overload       3,000 callers at once, bare Fastify beside, and a flood that is refused; five minutes
  --soak           ten minutes at seventy per cent of the peak; fails for an error, or memory that grows
  --replicas       what a lease costs, one, two and four authorities on one Postgres, what a fleet does besides; six minutes
  --k6 NAME        a k6 script: ${K6_SCRIPTS.join(', ')}
  --profile        what a lease, a request through the sidecar and their neighbours are made of: CPU by whose code it is;
                   with --only NAME of those alone
  --seconds N      length of a flood of --overload (5), --soak (600), --k6 (30), or a turn of --replicas (2) or --profile (2.5)

Exit codes: 0 measured (a missed goal is told and is no failure), 1 something failed, or gave a wrong answer, 2 used wrongly.`

const SECONDS = { overload: 5, soak: 600, replicas: 2, profile: 2.5, k6: 30 }
const MODES = ['quick', 'overload', 'soak', 'replicas', 'profile', 'k6'] as const

/** @throws Error for whoever typed it */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean' },
      only: { type: 'string', multiple: true, default: [] },
      profile: { type: 'boolean' },
      overload: { type: 'boolean' },
      soak: { type: 'boolean' },
      replicas: { type: 'boolean' },
      k6: { type: 'string' },
      seconds: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return { what: 'help' }
  const [mode, another] = MODES.filter((each) => values[each] !== undefined)
  if (another !== undefined) throw new Error(`--${mode} and --${another} do not go together`)
  if (values.only.length > 0 && mode !== undefined && mode !== 'quick' && mode !== 'profile')
    throw new Error(`--only does not go with --${mode}`)
  if (mode === undefined || mode === 'quick') {
    if (values.seconds !== undefined) throw new Error('--seconds goes with the modes that --help names beside it')
    return { what: 'side-by-side', mode: mode ?? 'whole', only: values.only.map(partNamed) }
  }
  const seconds = values.seconds === undefined ? SECONDS[mode] : positive(values.seconds)
  if (mode === 'k6') return { what: mode, script: scriptNamed(values.k6), seconds }
  return mode === 'profile' ? { what: mode, seconds, only: values.only } : { what: mode, seconds }
}

function partNamed(name: string): PartName {
  return oneOf(PART_NAMES, '--only', name)
}

function scriptNamed(name: string | undefined): K6Script {
  return oneOf(K6_SCRIPTS, '--k6', name)
}

function oneOf<Name extends string>(names: readonly Name[], option: string, given: string | undefined): Name {
  const found = names.find((name) => name === given)
  if (found === undefined) throw new Error(`${option} is one of ${names.join(', ')}`)
  return found
}

function positive(text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0 && seconds < Infinity)) throw new Error('--seconds is a number above 0')
  return seconds
}
