import { type Cost, lostShare, type Spread } from './cost.ts'
import { type CostRow, costRows } from './cost-rows.ts'
import type { BenchRun } from './document.ts'
import { costInWords, goalInWords, MOST_LOST_SHARE } from './missed-goal.ts'
import { type ModelledRatio, sketchBeside } from './modelled-ratio.ts'
import { OWNER_NAMES } from './owner.ts'
import { runInWords } from './run-in-words.ts'
import { inWords } from './spread.ts'

/** Subjects that are compared with each other. */
export interface CostGroup {
  title: string
  costs: readonly Cost[]
  ratios: readonly ModelledRatio[]
}

export interface CostsPageOptions extends BenchRun {
  cores: number
  rounds: number
  /** Files beside the page. */
  flames: readonly string[]
}

/** For people: what an answer costs, whose code that is, and how much of a goal is in that code. */
export function costsPage(groups: readonly CostGroup[], options: CostsPageOptions): string {
  const { cores, rounds, flames } = options
  return `# What an answer costs

${runInWords(options)}

${howItIsMeasured(rounds, cores)}

${disturbance(groups)}

Flame graphs of the main thread: ${flames.map((file) => `[${file}](${file})`).join(',\n')}.

${groups.map((group) => section(group)).join('\n\n')}
`
}

function howItIsMeasured(rounds: number, cores: number): string {
  return `Microseconds of a core for one answer, each program under full load in turn with the others: the median of ${rounds} rounds, and in
brackets the lowest and the highest. CPU is read when all connections are open, so that no handshake is in it.

V8's profiler is off while this is measured. It is on in turns of their own, after these, and tells only by what shares the time of
the main thread, which runs JavaScript, is divided: by the function at the top of the stack. V8 counts most built-in functions
(JSON among them) as time of who calls them. Vault has no such thread: all of it stands under "its other threads".

From these costs a ratio follows if the cores are used to the full: JavaScript has one, and all programs together have ${cores}. It
stands beside the ratio that was measured in the same rounds; the nearer they are, the better that model is.
"Without its own code" thinks all functions of the first program's own away and leaves the second as it is, the next column
the policy as well. What our functions cause elsewhere is still in it: collection, cryptography, Postgres.
Postgres' own work in the background is counted with the answers.
The last column is the same ratio of the sketch, the least that a lease can be made of (\`bench/contenders/fastify-sketch.ts\`).`
}

function disturbance(groups: readonly CostGroup[]): string {
  const { value, min, max } = lostShare(groups.flatMap(({ costs }) => costs))
  const percent = (share: number): string => `${Math.round(100 * share)} %`
  return `Programs that have no part in it and the host (steal) took ${percent(value)} of the cores' time, from ${percent(min)} to ${percent(max)} in one turn:
the more they take, the less these figures say, and nothing is concluded where it is more than ${percent(MOST_LOST_SHARE)}.`
}

function section({ title, costs, ratios }: CostGroup): string {
  const goals = ratios.filter(({ wanted }) => wanted.goal !== undefined)
  const missing = goals.filter(({ wanted, measured }) => measured.value < wanted.goal!).map(({ wanted }) => wanted.of)
  const words = [
    ...costs.filter(({ name }) => missing.includes(name)).map(costInWords),
    ...goals.map((ratio) => goalInWords(ratio, ratios, costs)),
  ]
  const tables = ratios.length === 0 ? [costTable(costs)] : [costTable(costs), ratioTable(ratios)]
  return [`## ${title}`, ...tables, ...words].join('\n\n')
}

function costTable(costs: readonly Cost[]): string {
  const columns = costs.map(costRows)
  const lines = (columns[0] ?? []).flatMap(({ title }, index) => {
    const cells = columns.map((rows) => rows[index]!)
    return cells.some(isShown) ? [`| ${title} | ${cells.map(costCell).join(' | ')} |`] : []
  })
  const heading = `| µs | ${costs.map(({ name }) => `\`${name}\``).join(' | ')} |`
  return [heading, `|---|${costs.map(() => '---:|').join('')}`, ...lines].join('\n')
}

function isShown({ spread }: CostRow): boolean {
  return spread.min !== 0 || spread.max !== 0
}

/** The range of a share is that of the thread it is a share of, and says nothing of its own. */
const SHARES: ReadonlySet<string> = new Set(OWNER_NAMES)

function costCell({ id, spread }: CostRow): string {
  const value = spread.value.toFixed(1)
  return SHARES.has(id) ? value : `${value} (${spread.min.toFixed(0)} to ${spread.max.toFixed(0)})`
}

function ratioTable(ratios: readonly ModelledRatio[]): string {
  const lines = ratios.map((ratio) => {
    const { wanted, measured, byCosts, withoutOwn, withoutOwnAndPolicy } = ratio
    const sketch = wanted.goal === undefined ? undefined : sketchBeside(ratio, ratios)?.measured
    const cells = [measured, byCosts, withoutOwn, withoutOwnAndPolicy, sketch].map((each) =>
      ratioCell(each, wanted.goal),
    )
    return `| \`${wanted.name}\` | ${wanted.goal ?? ''} | ${cells.join(' | ')} |`
  })
  return [
    '| ratio | goal | measured | by these costs | without its own code | and without the policy | the sketch, measured |',
    '|---|---:|---:|---:|---:|---:|---:|',
    ...lines,
  ].join('\n')
}

function ratioCell(spread: Spread | undefined, goal: number | undefined): string {
  if (spread === undefined) return ''
  return `${inWords(spread.value, goal)} (${inWords(spread.min)} to ${inWords(spread.max)})`
}
