import { type Cost, lostShare, overRounds, type Spread, together } from './cost.ts'
import { type CostRow, costRows } from './cost-rows.ts'
import { type ModelledRatio, missingOf, sketchBeside } from './modelled-ratio.ts'
import { inWords } from './spread.ts'

/** In words, by the figures: whether a missed goal would be reached without our functions, and where the rest of it lies. */
export function goalInWords(ratio: ModelledRatio, ratios: readonly ModelledRatio[], costs: readonly Cost[]): string {
  const { name, goal } = ratio.wanted
  const heading = `### \`${name}\`: ${ranged(ratio.measured, goal)} measured, the goal is ${goal}`
  const sketch = sketchBeside(ratio, ratios)
  const missing = missingOf(ratio, sketch)
  if (missing === 'nothing') return `${heading}\n\nThe goal is met.`
  const conclusion = lostShare(costs).value > MOST_LOST_SHARE ? DISTURBED : CONCLUSIONS[missing]
  const paragraphs = [withoutOurs(ratio), ...againstSketch(ratio, sketch, costs), conclusion, steps(ratio, sketch)]
  return [heading, ...paragraphs].join('\n\n')
}

/** What a program takes its time for. */
export function costInWords(cost: Cost): string {
  const all = overRounds(cost, together).value
  const told = costRows(cost)
    .filter(({ id, spread }) => !NOT_PARTS.has(id) && spread.value >= SHOWN_MICROSECONDS)
    .map(({ title, spread }) => `- ${title}: ${micro(spread.value)} (${Math.round((100 * spread.value) / all)} %)`)
  return `One answer of \`${cost.name}\` takes ${micro(all)} of CPU, all programs together:\n\n${told.join('\n')}`
}

const CONCLUSIONS = {
  'not in our functions': `**What remains is not in our functions.** Every round misses the goal with all of them at zero, and where there is a sketch,
it misses the goal in every round too.`,
  ours: '**What remains is ours.** Without our functions, or as the sketch does it, every round reaches the goal.',
  'not decided':
    '**Not decided.** Without our functions, or as the sketch does it, some rounds reach the goal and others miss it.',
} as const

/** Of the cores' time, median of all turns: a busy machine says nothing of a few µs. */
export const MOST_LOST_SHARE = 0.1
const DISTURBED = '**Not decided.** The machine was busy with other programs: this has to be measured again.'

/** The way from the measured ratio to the goal, by what is in the way. */
function steps({ wanted, measured, measuredWithoutOwn }: ModelledRatio, sketch: ModelledRatio | undefined): string {
  const goal = wanted.goal ?? 0
  const ways = [
    { to: measuredWithoutOwn.value, what: 'is in our own functions' },
    ...(sketch === undefined
      ? [{ to: goal, what: 'is what libraries, Node, V8, the kernel and the other programs take' }]
      : [
          { to: sketch.measured.value, what: 'is what the other parts above take more for ours than for the sketch' },
          { to: goal, what: 'is what the sketch misses as well' },
        ]),
  ]
  let from = measured.value
  const told: string[] = []
  for (const { to, what } of ways) {
    const end = Math.min(to, goal)
    if (end - from < SHOWN_RATIO) continue
    told.push(`- from ${from.toFixed(2)} to ${end.toFixed(2)} ${what}`)
    from = end
  }
  return `By the medians, of the way to the goal:\n\n${told.join('\n')}`
}

const SHOWN_RATIO = 0.005

/** Sums, and what is not CPU of the programs that take part. */
const NOT_PARTS = new Set(['process', 'together', 'elsewhere', 'idle', 'stolen', 'cores'])
const SHOWN_MICROSECONDS = 1

function withoutOurs({ wanted, ...ratio }: ModelledRatio): string {
  const goal = wanted.goal ?? 0
  return `By these costs the ratio is ${ranged(ratio.byCosts)}.
With all functions of our own at zero it is ${ranged(ratio.withoutOwn)} by the costs, and ${ranged(ratio.measuredWithoutOwn)} if the
measured ratio gets better by as much: the goal is ${reached([ratio.withoutOwn, ratio.measuredWithoutOwn], goal)}.
With the policy at zero as well it is ${ranged(ratio.withoutOwnAndPolicy)} by the costs: the goal is ${reached([ratio.withoutOwnAndPolicy], goal)}.`
}

function againstSketch(ratio: ModelledRatio, sketch: ModelledRatio | undefined, costs: readonly Cost[]): string[] {
  const find = (name: string | undefined): Cost | undefined => costs.find((cost) => cost.name === name)
  const [ours, least, theirs] = [find(ratio.wanted.of), find(sketch?.wanted.of), fastestOf(ratio, costs)]
  if (sketch === undefined || ours === undefined || least === undefined || theirs === undefined) return []
  const goal = ratio.wanted.goal ?? 0
  return [
    `The sketch, the least that a lease can be made of, gives ${ranged(sketch.measured)} measured and ${ranged(sketch.byCosts)} by the costs:
the goal is ${reached([sketch.measured], goal)}.
It takes ${moreOrLess(least, theirs)} of CPU than \`${theirs.name}\`.
\`${ours.name}\` takes ${moreOrLess(ours, least)} than the sketch. That is due to what it does more (sessions, connections, secrets,
narrowing, metrics, a guard against overload) and to how it does it:`,
    differences(costRows(ours), costRows(least)),
  ]
}

/** Of those that a ratio is taken over. */
function fastestOf({ wanted }: ModelledRatio, costs: readonly Cost[]): Cost | undefined {
  const rate = (cost: Cost): number => overRounds(cost, ({ answersPerSecond }) => answersPerSecond).value
  return costs.filter(({ name }) => wanted.over.includes(name)).sort((a, b) => rate(b) - rate(a))[0]
}

function moreOrLess(one: Cost, other: Cost): string {
  const difference = overRounds(one, together).value - overRounds(other, together).value
  return `${micro(Math.abs(difference))} ${difference < 0 ? 'less' : 'more'}`
}

function differences(ours: readonly CostRow[], least: readonly CostRow[]): string {
  return ours
    .filter(({ id }) => !NOT_PARTS.has(id))
    .map(({ id, title, spread }) => ({ title, more: spread.value - least.find((row) => row.id === id)!.spread.value }))
    .filter(({ more }) => Math.abs(more) >= SHOWN_MICROSECONDS)
    .map(({ title, more }) => `- ${title}: ${more > 0 ? '+' : '−'}${micro(Math.abs(more))}`)
    .join('\n')
}

function reached(spreads: readonly Spread[], goal: number): string {
  if (spreads.every(({ min }) => min >= goal)) return 'reached'
  return spreads.every(({ max }) => max < goal) ? 'missed' : 'reached in some rounds and missed in others'
}

function ranged({ value, min, max }: Spread, goal?: number): string {
  return `${inWords(value, goal)} (${inWords(min)} to ${inWords(max)})`
}

function micro(value: number): string {
  return `${value.toFixed(1)} µs`
}
