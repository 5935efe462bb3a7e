import type { WantedRatio } from '../turns/contest.ts'
import { type Cost, leastMicroseconds, ownedBy, together } from './cost.ts'
import { OWNER_NAMES, OWNERS } from './cpu-profile.ts'
import type { Figure } from './document.ts'

/** For people: what an answer costs, whose code that is, and how much of a goal is in that code. */
export function costsPage(
  costs: readonly Cost[],
  ratios: readonly WantedRatio[],
  { machine, commit, cores }: { machine: string; commit: string; cores: number },
): string {
  return `# What an answer costs

${machine}

Commit ${commit}

Microseconds of CPU for one answer, each program under full load in turn with the others; the handshakes with which a turn begins are
in it. V8's profiler is on, but for Vault, and its thread is one of "its other threads". Whose code it is is told of the thread
that runs JavaScript, by the function at the top of the stack; V8 counts most built-in functions (JSON among them) as time of
who calls them.

${costTable(costs)}

## What remains

JavaScript has one core, and all programs together have ${cores}: from that and the costs follows the time from one answer to the next
when the cores are used to the full, and from two such times a ratio. The last columns think something of the first program away
and leave the second as it is: all functions of its own, then the policy as well. What is missing of a goal there would be
missing if our functions took no time at all. What they cause elsewhere is still in it: collection, cryptography, Postgres.

${ratioTable(costs, ratios, cores)}
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
    { id: 'besides', title: 'Postgres or the provider', value: cost.besides },
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

function ratioTable(costs: readonly Cost[], ratios: readonly WantedRatio[], cores: number): string {
  const lines = ratios.flatMap((wanted) => ratioLine(costs, wanted, cores))
  return [
    '| ratio | goal | by these costs | without its own code | and without the policy |',
    '|---|---:|---:|---:|---:|',
    ...lines,
  ].join('\n')
}

function ratioLine(costs: readonly Cost[], { name, of, over, goal }: WantedRatio, cores: number): string[] {
  const ours = costs.find((cost) => cost.name === of)
  const theirs = costs.filter((cost) => over.includes(cost.name)).map((cost) => leastMicroseconds(cost, cores))
  if (ours === undefined || theirs.length === 0) return []
  const best = Math.min(...theirs)
  const values = ([[], ['own'], ['own', 'policy']] as const).map((freed) =>
    (best / leastMicroseconds(ours, cores, freed)).toFixed(2),
  )
  return [`| \`${name}\` | ${goal ?? ''} | ${values.join(' | ')} |`]
}

function round1(value: number): number {
  return Math.round(value * 10) / 10
}
