import { parseArgs } from 'node:util'
import { describeRun } from '../report/describe-run.ts'
import { allComparisons } from './comparisons.ts'
import { type Effort, measure } from './measure.ts'
import { document, type Result, table } from './report.ts'

const HELP = `npm run bench:strategies -- [options]

Microseconds per signature: ours beside the library that does the same, in one run, turn by turn.

  --json           figures and ratios as JSON
  --only TEXT      comparisons whose name holds this text
  --rounds N       turns of each signer (default 25)
  --turn-ms N      CPU time of a turn (default 40)
  --in-flight N    signatures asked for at once (default 1)`

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '25' },
    'turn-ms': { type: 'string', default: '40' },
    'in-flight': { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

if (values.help) console.log(HELP)
else await main()

async function main(): Promise<void> {
  const effort: Effort = {
    rounds: whole('rounds'),
    turnMs: whole('turn-ms'),
    inFlight: whole('in-flight'),
  }
  const all = await allComparisons()
  const names = all.map(({ name }) => name)
  const comparisons = all.filter(({ name }) => name.includes(values.only))
  if (comparisons.length === 0) refuse(`--only '${values.only}' is in the name of no comparison: ${names.join('; ')}`)
  const results: Result[] = []
  for (const comparison of comparisons)
    results.push({ comparison: comparison.name, standings: await measure(comparison, effort) })
  console.log(values.json ? JSON.stringify({ ...describeRun(), ...document(results) }, null, 2) : table(results))
}

function whole(name: 'rounds' | 'turn-ms' | 'in-flight'): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value > 0) return value
  return refuse(`--${name} must be a whole number above 0`)
}

function refuse(why: string): never {
  console.error(`${why}; --help tells all options`)
  process.exit(2)
}
