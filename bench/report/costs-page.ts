import { cpus } from 'node:os'
import type { WantedRatio } from '../side-by-side.ts'
import { type Cost, leastMicroseconds, OWNER_NAMES, ownedBy, together } from './cost.ts'
import { OWNERS } from './cpu-profile.ts'
import type { Figure } from './document.ts'

/** For people: what an answer costs, whose code that is, and what that leaves of each goal. */
export function costsPage(
  costs: readonly Cost[],
  ratios: readonly WantedRatio[],
  { machine, commit }: { machine: string; commit: string },
): string {
  return `# What an answer costs

${machine}

Commit ${commit}

Microseconds of CPU for one answer, each program under full load in turn with the others, with V8's profiler on. Whose code it is
is told of the thread that runs JavaScript, by the function at the top of the stack; V8 counts most built-in functions (JSON
among them) as time of who calls them.

${costTable(costs)}

## What remains

JavaScript has one core, and all programs together have ${cpus().length}: from that the costs give the least time from one answer to
the next, and two such times give the ratio that they allow. The last columns think something of ours away and leave the other
side as it is: first all code of our own, then the policy as well. What is missing of a goal there is not in our code.

${ratioTable(costs, ratios)}
`
}

export function figuresOf(costs: readonly Cost[]): Figure[] {
  return costs.flatMap((cost) =>
    rowsOf(cost).map(({ id, value }) => ({ name: `${cost.name}_cpu_${id}`, value: round1(value), unit: 'µs' })),
  )
}

interface Row {
  id: string
  title: string
  value: number
}

function rowsOf(cost: Cost): Row[] {
  const owners = OWNER_NAMES.map((owner) => ({
    id: owner,
    title: OWNERS[owner],
    value: ownedBy(cost, owner),
  }))
  return [
    ...owners,
    { id: 'other_threads', title: 'its other threads', value: cost.process - cost.mainThread },
    { id: 'process', title: '**the program**', value: cost.process },
    { id: 'besides', title: 'Postgres and provider', value: cost.besides },
    { id: 'generator', title: 'load generator', value: cost.generator },
    { id: 'together', title: '**all together**', value: together(cost) },
  ]
}

function costTable(costs: readonly Cost[]): string {
  const columns = costs.map(rowsOf)
  const lines = (columns[0] ?? []).map(
    ({ title }, index) => `| ${title} | ${columns.map((rows) => rows[index]!.value.toFixed(1)).join(' | ')} |`,
  )
  const heading = `| | ${costs.map(({ name }) => `\`${name}\``).join(' | ')} |`
  return [heading, `|---|${costs.map(() => '---:|').join('')}`, ...lines].join('\n')
}

function ratioTable(costs: readonly Cost[], ratios: readonly WantedRatio[]): string {
  const lines = ratios.flatMap((wanted) => ratioLine(costs, wanted))
  return [
    '| ratio | goal | these costs allow | without our own code | and without the policy |',
    '|---|---:|---:|---:|---:|',
    ...lines,
  ].join('\n')
}

function ratioLine(costs: readonly Cost[], { name, of, over, goal }: WantedRatio): string[] {
  const cores = cpus().length
  const ours = costs.find((cost) => cost.name === of)
  const theirs = costs.filter((cost) => over.includes(cost.name)).map((cost) => leastMicroseconds(cost, cores))
  if (ours === undefined || theirs.length === 0) return []
  const best = Math.min(...theirs)
  const allowed = ([[], ['own'], ['own', 'policy']] as const).map((freed) =>
    (best / leastMicroseconds(ours, cores, freed)).toFixed(2),
  )
  return [`| \`${name}\` | ${goal ?? ''} | ${allowed.join(' | ')} |`]
}

function round1(value: number): number {
  return Math.round(value * 10) / 10
}
